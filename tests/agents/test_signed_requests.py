"""Signed requests: what is believed, and what a thief of bytes cannot do with them."""

from __future__ import annotations

import os
import zlib
from datetime import timedelta

import pytest
import time_machine
import zstandard
from django.db import connection

from agents import computer_keys
from agents.models import Blob, ComputerKey, Delivery
from agents.protocol import messages, signing
from agents.protocol.signing import signed_bytes
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.agents.conftest import Enroll
from tests.endpoint_double import BASE, Endpoint


def test_a_request_cannot_be_sent_again(enroll: Enroll) -> None:
    endpoint = enroll()
    assert endpoint.check_in().status == 200
    again = endpoint.request("GET", "manifest", sequence=endpoint.sequence)
    assert (again.status, again.code) == (401, "replayed")


def test_a_failed_request_does_not_burn_its_sequence(enroll: Enroll) -> None:
    """What failed did nothing, so the same bytes may be tried again."""
    endpoint = enroll()
    assert endpoint.request("POST", "ack", raw=b"\xc1").status == 400
    assert endpoint.request("POST", "ack", raw=b"\xc1", sequence=endpoint.sequence).status == 400


def test_another_body_is_refused(enroll: Enroll) -> None:
    endpoint = enroll()
    other = signing.content_digest(b"other")
    reply = endpoint.request("POST", "checkin", raw=b"body", change=lambda h: h.update({signing.DIGEST: other}))
    assert (reply.status, reply.code) == (401, "digest_mismatch")


@pytest.mark.parametrize(("method", "path"), [("POST", "checkin"), ("GET", "blobs/" + "0" * 64)])
def test_another_method_or_path_is_refused(enroll: Enroll, method: str, path: str) -> None:
    endpoint = enroll()
    now, digest = endpoint.now(), signing.content_digest(b"")
    key = signing.key_id(signing.public_bytes(endpoint.key))
    stolen = signing.b64(endpoint.key.sign(signed_bytes("GET", BASE + "manifest", digest, now, 9, key)))
    reply = endpoint.request(method, path, sequence=9, change=lambda h: h.update({signing.SIGNATURE: stolen}))
    assert (reply.status, reply.code) == (401, "bad_signature")


@pytest.mark.parametrize("skew", [600, -600, 2 * 86_400, -2 * 86_400])
def test_a_skewed_clock_is_told_the_time_and_recovers_in_one_round(enroll: Enroll, skew: int) -> None:
    endpoint = enroll()
    endpoint.clock_offset = skew
    refused = endpoint.request("GET", "manifest")
    problem = refused.read(messages.Problem)
    assert (refused.status, problem.code) == (401, "clock_skew")
    assert abs(problem.server_time - clock.now().timestamp()) < 5
    assert endpoint.check_in().status == 200


def test_an_unknown_key_is_told_so(client: object, enroll: Enroll) -> None:
    endpoint = enroll()
    endpoint.key = Endpoint().key
    reply = endpoint.request("GET", "manifest")
    assert (reply.status, reply.code) == (401, "unknown_key")


def test_a_banned_key_is_shut_out_with_its_next_request(enroll: Enroll) -> None:
    endpoint = enroll()
    assert endpoint.check_in().status == 200
    computer_keys.ban_computer_key(factories.SYSTEM, ComputerKey.rows.get().id, reason="stolen")
    reply = endpoint.check_in()
    assert (reply.status, reply.code) == (403, "banned")


def test_a_banned_key_cannot_enroll_again(enroll: Enroll, install_key: str) -> None:
    endpoint = enroll()
    computer_keys.ban_computer_key(factories.SYSTEM, ComputerKey.rows.get().id, reason="stolen")
    assert endpoint.enroll(install_key).status == 403


def test_a_technician_lets_a_reinstalled_machine_in_and_the_old_key_out(enroll: Enroll, install_key: str) -> None:
    old = enroll("fin-01")
    new = Endpoint(old.client, name="fin-01")
    new.enroll(install_key)
    pending = ComputerKey.rows.get(state="pending")
    computer_keys.approve_computer_key(factories.SYSTEM, pending.id)
    assert (new.check_in().status, old.check_in().code) == (200, "banned")


def test_a_heartbeat_tells_how_wrong_the_clock_is(enroll: Enroll) -> None:
    endpoint = enroll()
    endpoint.check_in(clock_ms=(endpoint.now() + 120) * 1000)
    assert 118_000 < Computer.rows.get().clock_skew_ms < 122_000


@pytest.mark.parametrize("name", ["a\x00b", "\u202egnp.exe", "x" * 500])
def test_hostile_text_in_a_heartbeat_is_no_outage(enroll: Enroll, name: str) -> None:
    endpoint = enroll()
    assert endpoint.check_in(hostname=name, posture=messages.Posture(notes=(name,))).status == 200
    assert "\x00" not in str(Delivery.rows.get().heartbeat)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_a_413(enroll: Enroll, encoding: str) -> None:
    endpoint = enroll()
    zeros = bytes(200 << 20)
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(zeros) + packer.flush() if encoding == "gzip" else zstandard.compress(zeros)
    assert len(bomb) < messages.MAX_BODY_BYTES
    reply = endpoint.request("POST", "events", raw=bomb, encoding=encoding)
    assert (reply.status, reply.code) == (413, "too_large")


def test_a_body_over_a_megabyte_is_a_413(enroll: Enroll) -> None:
    reply = enroll().request("POST", "events", raw=os.urandom(messages.MAX_BODY_BYTES + 1))
    assert reply.status == 413


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_a_wrong_encoding_is_refused(enroll: Enroll, encoding: str) -> None:
    reply = enroll().request("POST", "events", raw=b"plain", encoding=encoding)
    assert (reply.status, reply.code) == (400, "malformed")


def test_a_foreign_blob_is_not_found(enroll: Enroll, brisk_otter: Organization) -> None:
    endpoint = enroll()
    foreign = Blob.rows.create(organization=brisk_otter, digest="a" * 64, data=b"secret", size=6)
    own_but_unnamed = Blob.rows.create(
        organization_id=endpoint.known.organization, digest="b" * 64, data=b"other", size=5
    )
    for blob in (foreign, own_but_unnamed):
        assert endpoint.request("GET", f"blobs/{blob.digest}").status == 404


def test_the_tenant_comes_only_from_the_key(enroll: Enroll, brisk_otter: Organization) -> None:
    endpoint = enroll()
    foreign = factories.group(brisk_otter, "Front desk", initial_learning_days=0)
    other = enroll("front-01", group=foreign)
    spoofed = {"X-Organization": brisk_otter.slug, signing.KEY: signing.key_id(signing.public_bytes(other.key))}
    assert endpoint.request("POST", "checkin", change=lambda h: h.update(spoofed)).status == 401
    assert Computer.rows.get(name="front-01").last_seen_at is None


def test_an_old_nonce_in_the_system_is_forgotten(enroll: Enroll, finance: ComputerGroup) -> None:
    from agents import sweep
    from agents.models import AgentNonce

    enroll()
    assert AgentNonce.rows.count() == 1
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        sweep.sweep()
    assert AgentNonce.rows.count() == 0


def test_a_wrong_method_is_a_405(enroll: Enroll) -> None:
    assert enroll().request("POST", "manifest").status == 405


def test_unavailable_is_503_with_a_time_to_come_back(enroll: Enroll, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def down(*args: object, **kwargs: object) -> None:
        raise OperationalError("server closed the connection")

    endpoint = enroll()
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", down)
        reply = endpoint.request("GET", "manifest")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert b"server closed" not in reply.body
