"""What every write over REST promises: try first, repeat safely, never overwrite what somebody else changed."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from portal.accounts.models import Role, User
from portal.common import clock
from portal.common.api.models import KeptAnswer
from portal.tenants.models import Entry, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.factories import SYSTEM
from tests.portal.api.caller import Caller

BODY = {"name": "Able Moose", "parent": "northwind-it"}


def names() -> list[str]:
    return sorted(Organization.objects.within(SYSTEM).values_list("name", flat=True))


def test_a_write_is_told_in_the_system_audit(owner: User) -> None:
    made = Caller(owner).post("organizations/", BODY)
    assert made.status_code == 201
    assert made["Location"] == f"/api/v1/organizations/{made.json()['id']}/"
    entry = Entry.rows.get(verb="organization.created")
    assert (entry.actor_kind, entry.target_id) == ("token", made.json()["id"])
    assert entry.after["name"] == "Able Moose"


def test_a_dry_run_answers_as_if_done_and_keeps_nothing(owner: User) -> None:
    caller = Caller(owner)
    tried = caller.post("organizations/?dry_run=true", BODY, **{"Idempotency-Key": "k"})
    assert tried.status_code == 201
    assert tried["Dry-Run"] == "true"
    assert tried.json()["name"] == "Able Moose"
    assert names() == ["Northwind IT"]
    assert not Entry.rows.filter(verb="organization.created").exists()
    assert not KeptAnswer.objects.exists()
    assert caller.post("organizations/?dry_run=true", {**BODY, "color": "pink"}).status_code == 422
    assert caller.post("organizations/?dry_run=perhaps", BODY).status_code == 422


def test_the_same_key_and_body_give_the_first_answer_again(owner: User) -> None:
    caller = Caller(owner)
    first = caller.post("organizations/", BODY, **{"Idempotency-Key": "order-17"})
    again = caller.post("organizations/", BODY, **{"Idempotency-Key": "order-17"})
    assert (again.status_code, again.json(), again["Location"]) == (201, first.json(), first["Location"])
    assert again["Idempotency-Replayed"] == "true"
    assert names() == ["Able Moose", "Northwind IT"]


def test_the_same_key_with_another_body_is_409(owner: User) -> None:
    caller = Caller(owner)
    caller.post("organizations/", BODY, **{"Idempotency-Key": "order-17"})
    other = caller.post("organizations/", {**BODY, "name": "Other"}, **{"Idempotency-Key": "order-17"})
    assert other.status_code == 409
    assert names() == ["Able Moose", "Northwind IT"]


def test_a_key_belongs_to_its_caller(owner: User, northwind: Organization) -> None:
    colleague = factories.person("Cora Colleague", Role.OWNER, northwind)
    Caller(owner).post("organizations/", BODY, **{"Idempotency-Key": "1"})
    other = Caller(colleague).post("organizations/", {**BODY, "name": "Other"}, **{"Idempotency-Key": "1"})
    assert other.status_code == 201


def test_a_refused_write_may_be_repeated_under_its_key(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    body = {**BODY, "name": able_moose.name}
    assert caller.post("organizations/", body, **{"Idempotency-Key": "1"}).status_code == 409
    Organization.rows.filter(id=able_moose.id).update(name="Renamed")
    assert caller.post("organizations/", body, **{"Idempotency-Key": "1"}).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e4"])
def test_a_key_that_is_none_is_422(owner: User, key: str) -> None:
    assert Caller(owner).post("organizations/", BODY, **{"Idempotency-Key": key}).status_code == 422


def test_a_kept_answer_holds_no_readable_secret(owner: User) -> None:
    body = {"name": "ci", "organizations": ["northwind-it"], "capabilities": ["policy:read"]}
    body["expires_at"] = (clock.now() + timedelta(days=400)).isoformat()
    caller = Caller(owner)
    refused = caller.post("api-tokens/", body, **{"Idempotency-Key": "1"})
    assert refused.status_code == 422  # lives too long
    body["expires_at"] = (clock.now() + timedelta(days=10)).isoformat()
    made = caller.post("api-tokens/", body, **{"Idempotency-Key": "1"})
    assert made.status_code == 201
    kept = bytes(KeptAnswer.objects.get().sealed_answer)
    assert made.json()["secret"].encode() not in kept
    assert caller.post("api-tokens/", body, **{"Idempotency-Key": "1"}).json() == made.json()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_under_one_key_do_it_once(committed: None) -> None:
    with reaching(SYSTEM):
        northwind = factories.organization("Northwind IT")
        caller = Caller(factories.person("Olive Owner", Role.OWNER, northwind))
    answers: list[Any] = []
    start = threading.Barrier(4)

    def call() -> None:
        start.wait()
        answers.append(Caller.post(caller, "organizations/", BODY, **{"Idempotency-Key": "1"}))
        connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    with reaching(SYSTEM):
        assert names() == ["Able Moose", "Northwind IT"]


def test_a_stale_etag_is_412_and_changes_nothing(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    path = f"organizations/{able_moose.id}/"
    tag = caller.get(path)["ETag"]
    changed = caller.patch(path, {"name": "First"}, **{"If-Match": tag})
    assert changed.status_code == 200
    assert caller.patch(path, {"name": "Second"}, **{"If-Match": tag}).status_code == 412
    assert caller.delete(path, **{"If-Match": tag}).status_code == 412
    assert caller.get(path).json()["name"] == "First"
    assert caller.patch(path, {"name": "Second"}, **{"If-Match": changed["ETag"]}).status_code == 200
    assert caller.patch(path, {"name": "Third"}, **{"If-Match": "*"}).status_code == 200
    assert caller.patch(path, {"name": "Fourth"}, **{"If-Match": "bare"}).status_code == 422


def test_an_unchanged_object_is_304(reader: User, able_moose: Organization) -> None:
    caller = Caller(reader)
    path = f"organizations/{able_moose.id}/"
    tag = caller.get(path)["ETag"]
    assert caller.get(path, **{"If-None-Match": tag}).status_code == 304
    assert caller.get(path, **{"If-None-Match": '"other"'}).status_code == 200


def test_a_patch_leaves_what_it_does_not_name(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    changed = caller.patch(f"organizations/{able_moose.id}/", {"time_zone": "Europe/Vienna"}).json()
    assert (changed["name"], changed["time_zone"]) == ("Able Moose Accounting", "Europe/Vienna")
    entry = Entry.rows.get(verb="organization.changed")
    assert (entry.before, entry.after) == ({"time_zone": "UTC"}, {"time_zone": "Europe/Vienna"})
