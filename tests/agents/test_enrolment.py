"""Enrolment: what an install key opens, and that every refusal looks alike."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest
import time_machine
from django.test import Client

from agents import enrolment, install_keys
from agents.models import ComputerKey, InstallKey
from agents.protocol import messages, signing
from portal.common import clock
from portal.common.errors import Refused
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.endpoint_double import BASE, Endpoint


def test_a_computer_enrolls_and_belongs_to_the_keys_group(
    client: Client, install_key: str, finance: ComputerGroup
) -> None:
    endpoint = Endpoint(client, name="fin-01")
    answer = endpoint.enroll(install_key).read(messages.EnrollAnswer)
    computer = Computer.rows.get(pk=answer.computer)
    assert (computer.group, computer.organization) == (finance, finance.organization)
    assert (answer.status, answer.organization) == ("active", str(finance.organization_id))
    assert endpoint.check_in().status == 200


def test_the_secret_is_kept_only_as_its_hash(install_key: str) -> None:
    secret = install_key.partition(".")[2]
    row = InstallKey.rows.get()
    assert bytes(row.secret_sha256) == install_keys.hash_of(secret)
    assert secret not in str(row.__dict__) and secret not in str(list(Entry.rows.values()))


def spoil(how: str, key: str, endpoint: Endpoint) -> tuple[str, dict[str, str]]:
    """The install key to show and what to change in the request, so that just one thing is wrong."""
    row = InstallKey.rows.get()
    if how == "expired":
        InstallKey.rows.update(expires_at=clock.now() - timedelta(seconds=1))
    if how == "revoked":
        install_keys.revoke_install_key(factories.SYSTEM, row.id)
    if how == "used up":
        InstallKey.rows.update(max_uses=1, uses=1)
    if how == "unknown":
        return "000000000000.nobody", {}
    if how == "wrong secret":
        return key[:-1] + ("A" if key[-1] != "A" else "B"), {}
    if how == "foreign proof":
        other = Endpoint(endpoint.client, name="other")
        return key, {"public_key": other.public_key}
    if how == "forged nonce":
        return key, {"nonce": "made-up"}
    if how == "wrong system":
        return key, {"os": "linux"}
    return key, {}


FAULTS = ["expired", "revoked", "used up", "unknown", "wrong secret", "foreign proof", "forged nonce", "wrong system"]


@pytest.mark.parametrize("how", FAULTS)
def test_every_refusal_looks_alike(client: Client, install_key: str, how: str) -> None:
    endpoint = Endpoint(client)
    key, changes = spoil(how, install_key, endpoint)
    reply = endpoint.enroll(key, **changes)
    problem = reply.read(messages.Problem)
    assert (reply.status, problem.code) == (403, "enrolment_refused")
    assert problem.detail == enrolment.EnrolmentRefused("").message
    assert not Computer.rows.exists() and not ComputerKey.rows.exists()


def test_the_system_audit_tells_the_reason_that_the_answer_hides(install_key: str) -> None:
    reference = install_key.partition(".")[0]
    enrolment.note_refused_enrolment(
        factories.SYSTEM, reference=reference, reason="expired", hostname="x", address="10.0.0.9"
    )
    entry = Entry.rows.get(verb="install_key.refused")
    assert entry.details == {"reason": "expired", "hostname": "x", "from_address": "10.0.0.9"}


def test_a_proof_can_be_used_once(client: Client, install_key: str) -> None:
    first = Endpoint(client, name="fin-01")
    nonce = first.nonce()
    assert first.enroll(install_key, nonce=nonce).status == 200
    assert first.enroll(install_key, nonce=nonce).status == 403


def test_a_nonce_is_good_for_five_minutes(client: Client, install_key: str) -> None:
    endpoint = Endpoint(client)
    nonce = endpoint.nonce()
    with time_machine.travel(clock.now() + timedelta(seconds=enrolment.NONCE_SECONDS + 1)):
        assert endpoint.enroll(install_key, nonce=nonce).status == 403


def test_an_enrolment_whose_answer_was_lost_can_be_repeated(client: Client, install_key: str) -> None:
    InstallKey.rows.update(max_uses=1)
    endpoint = Endpoint(client)
    first = endpoint.enroll(install_key).read(messages.EnrollAnswer)
    again = endpoint.enroll(install_key).read(messages.EnrollAnswer)
    assert (first.computer, first.key_id, again.status) == (again.computer, again.key_id, "active")
    assert InstallKey.rows.get().uses == 1


def test_a_known_machine_waits_and_evicts_nobody(client: Client, install_key: str) -> None:
    honest, thief = Endpoint(client, name="fin-01"), Endpoint(client, name="fin-01")
    honest.enroll(install_key)
    assert thief.enroll(install_key).read(messages.EnrollAnswer).status == "pending"
    refused = thief.check_in()
    assert (refused.status, refused.code) == (403, "pending")
    assert honest.check_in().status == 200
    assert Entry.rows.filter(verb="computer.reenrolled", details__needs_attention=True).count() == 1


def test_nobody_enrolls_into_a_global_group(able_moose: Organization) -> None:
    group = factories.group(able_moose, "All Windows", is_global=True)
    with pytest.raises(Refused, match="global group"):
        install_keys.create_install_key(factories.SYSTEM, group_id=group.id)


def test_an_install_key_lives_for_at_most_ninety_days(finance: ComputerGroup) -> None:
    late = clock.now() + timedelta(days=91)
    with pytest.raises(Refused, match="90 days"):
        install_keys.create_install_key(factories.SYSTEM, group_id=finance.id, expires_at=late)


def test_one_of_twenty_wins_the_race_for_the_last_use(committed: None) -> None:
    with reaching(factories.SYSTEM):
        group = factories.group(factories.organization("Able Moose"), "Finance")
        key = install_keys.create_install_key(factories.SYSTEM, group_id=group.id, max_uses=1).secret
    endpoints = [Endpoint(Client(), name=f"pc-{n}") for n in range(20)]
    start, statuses = Barrier(len(endpoints)), []

    def race(endpoint: Endpoint) -> None:
        nonce = endpoint.nonce()
        start.wait()
        statuses.append(endpoint.enroll(key, nonce=nonce).status)
        from django.db import connection

        connection.close()

    threads = [Thread(target=race, args=(e,)) for e in endpoints]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [403] * 19
    with reaching(factories.SYSTEM):
        assert Computer.rows.count() == 1


def test_an_enrolment_body_is_bounded(client: Client) -> None:
    reply = Endpoint(client).wire("POST", f"{BASE}enroll", b"x" * (messages.MAX_BODY_BYTES + 1), {})
    assert reply.status == 413


def test_a_damaged_public_key_is_a_refusal_not_an_outage(client: Client, install_key: str) -> None:
    assert Endpoint(client).enroll(install_key, public_key="not base64", proof=signing.b64(b"x")).status == 403
