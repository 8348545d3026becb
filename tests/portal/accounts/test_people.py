"""Who may let whom do what. Nobody grants more than they have, and nobody is left without an owner."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.test import Client

from portal.accounts.models import Invitation, Membership, Role, User
from portal.common import clock
from portal.tenants.models import Entry, Organization
from tests import factories
from tests.portal.api.caller import Caller

SignIn = Callable[[User], Client]
NEW = {
    "email": "ana@able.example",
    "name": "Ana Ruiz",
    "organization": "able-moose-accounting",
    "role": "customer_reader",
}
GOOD = "a sentence that is long enough"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def invited(owner: User) -> str:
    """Ana was invited; the path of her link."""
    answer = Caller(owner).post("users/", NEW)
    assert answer.status_code == 201
    return str(answer.json()["invitation_url"]).partition("8000")[2]


def test_an_invited_person_sets_a_password_and_signs_in(owner: User, able_moose: Organization) -> None:
    client = Client()
    opened = client.get(invited(owner))
    assert opened["Location"] == "/invitation/"
    assert client.post("/invitation/", {"password": "short"}).status_code == 422
    assert client.post("/invitation/", {"password": GOOD})["Location"] == "/sign-in/"
    client.post("/sign-in/", {"login": NEW["email"], "password": GOOD})
    assert client.get("/api/v1/organizations/").json()["results"][0]["slug"] == "able-moose-accounting"
    assert {"person.invited", "person.password_set", "person.signed_in"} <= set(
        Entry.rows.values_list("verb", flat=True)
    )


def test_looking_at_a_link_does_not_use_it_up_but_a_password_does(owner: User, able_moose: Organization) -> None:
    path = invited(owner)
    for _ in range(3):
        assert Client().get(path).status_code == 302
        assert Client().head(path).status_code == 302
    client = Client()
    client.get(path)
    client.post("/invitation/", {"password": GOOD})
    assert Client().get(path).status_code == 404


def test_a_link_ends_after_three_days_and_with_the_next_one(owner: User, able_moose: Organization) -> None:
    path = invited(owner)
    with time_machine.travel(clock.now() + timedelta(days=3, seconds=1)):
        assert Client().get(path).status_code == 404
    ana = User.objects.get(email=NEW["email"])
    renewed = Caller(owner).post(f"users/{ana.id}/link/").json()["invitation_url"].partition("8000")[2]
    assert Client().get(path).status_code == 404
    assert Client().get(renewed).status_code == 302


def test_a_link_is_stored_as_a_hash_only(owner: User, able_moose: Organization) -> None:
    secret = invited(owner).split("/")[2]
    assert secret.encode() not in bytes(Invitation.rows.get().secret_sha256)


@pytest.mark.parametrize("path", ["/invitation/", "/invitation/x/", "/invitation/" + "A" * 43 + "/"])
def test_a_link_that_is_none_is_404(owner: User, path: str) -> None:
    assert Client().get(path).status_code == 404


def test_only_who_may_change_people_invites(
    technician: User, customer_admin: User, reader: User, stranger: User, owner: User
) -> None:
    for person, status in ((technician, 403), (customer_admin, 403), (reader, 403), (stranger, 403)):
        assert Caller(person).post("users/", NEW).status_code == status
    assert Caller(owner).post("users/", {**NEW, "organization": "no-such"}).status_code == 404


def test_nobody_grants_what_they_lack(able_moose: Organization, northwind: Organization, owner: User) -> None:
    """An owner of one customer makes no owner of the provider, and no one of another customer."""
    local = factories.person("Lea Local", Role.OWNER, able_moose)
    caller = Caller(local)
    assert caller.post("users/", {**NEW, "role": "owner"}).status_code == 201
    assert caller.post("users/", {**NEW, "organization": "northwind-it"}).status_code == 404
    refused = caller.post("users/", {**NEW, "email": "x@y.example", "may_act_globally": True})
    assert refused.status_code == 422


def test_people_of_another_customer_are_not_seen(customer_admin: User, stranger: User, owner: User) -> None:
    seen = Caller(customer_admin).get("users/").json()["results"]
    assert {p["email"] for p in seen} == {customer_admin.email}
    assert Caller(customer_admin).get(f"users/{stranger.id}/").status_code == 404
    assert Caller(customer_admin).get(f"users/{owner.id}/").status_code == 404


def test_a_person_of_two_customers_shows_each_only_its_own_role(
    customer_admin: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    both = factories.person("Bo Both", Role.CUSTOMER_READER, able_moose)
    Membership.objects.within(factories.SYSTEM).create(user=both, organization=brisk_otter, role=Role.CUSTOMER_ADMIN)
    shown = Caller(customer_admin).get(f"users/{both.id}/").json()
    assert [r["organization_name"] for r in shown["roles"]] == ["Able Moose Accounting"]


def test_who_also_works_elsewhere_is_not_locked_out_by_one_customer(
    able_moose: Organization, brisk_otter: Organization
) -> None:
    local = factories.person("Lea Local", Role.OWNER, able_moose)
    both = factories.person("Bo Both", Role.CUSTOMER_READER, able_moose)
    Membership.objects.within(factories.SYSTEM).create(user=both, organization=brisk_otter, role=Role.CUSTOMER_ADMIN)
    caller = Caller(local)
    assert caller.patch(f"users/{both.id}/", {"is_active": False}).status_code == 422
    assert caller.delete(f"users/{both.id}/roles/able-moose-accounting/").status_code == 204
    assert caller.get(f"users/{both.id}/").status_code == 404
    assert User.objects.get(pk=both.pk).is_active


def test_the_last_owner_stays(owner: User, northwind: Organization) -> None:
    caller = Caller(owner)
    assert caller.delete(f"users/{owner.id}/roles/northwind-it/").status_code == 422
    assert (
        caller.post(f"users/{owner.id}/roles/", {"organization": "northwind-it", "role": "technician"}).status_code
        == 422
    )
    second = factories.person("Otto Owner", Role.OWNER, northwind)
    assert Caller(second).patch(f"users/{owner.id}/", {"is_active": False}).status_code == 200
    assert Caller(second).delete(f"users/{second.id}/roles/northwind-it/").status_code == 422


def test_an_empty_grant_is_nothing(owner: User) -> None:
    nobody = User.objects.create_user(email="nobody@example.com", password=factories.PASSWORD, name="No Body")
    client = Client()
    client.force_login(nobody)
    assert client.get("/all/computers/").status_code == 403
    assert client.get("/o/northwind-it/").status_code == 404
    assert client.get("/api/v1/organizations/").status_code == 403


def test_a_person_is_locked_out_on_the_screen(owner: User, reader: User, as_user: SignIn) -> None:
    browser = as_user(owner)
    page = browser.get(f"/all/settings/people/{reader.id}/").content.decode()
    assert "Lock out" in page
    browser.post(f"/all/settings/people/{reader.id}/lock/")
    assert not User.objects.get(pk=reader.pk).is_active
    assert "locked out" in browser.get("/all/settings/people/").content.decode()


def test_the_screens_of_people_show_no_more_than_one_may_see(
    customer_admin: User, reader: User, stranger: User, as_user: SignIn
) -> None:
    browser = as_user(customer_admin)
    page = browser.get("/o/able-moose-accounting/settings/people/").content.decode()
    assert reader.email in page and stranger.email not in page and "Invite somebody" not in page
    assert browser.get(f"/o/able-moose-accounting/settings/people/{stranger.id}/").status_code == 404
    assert browser.get("/o/brisk-otter-dental/settings/people/").status_code == 404
    assert browser.get("/o/able-moose-accounting/settings/people/invite/").status_code == 403
    assert as_user(reader).get("/o/able-moose-accounting/settings/people/").status_code == 403


def test_inviting_on_the_screen_shows_the_link_once(owner: User, able_moose: Organization, as_user: SignIn) -> None:
    browser = as_user(owner)
    shown = browser.post("/all/settings/people/invite/", {**NEW, "may_act_globally": ""})
    link = re.search(r"http://localhost:8000(/invitation/[\w-]+/)", shown.content.decode())
    assert link and Client().get(link[1]).status_code == 302
    again = browser.post("/all/settings/people/invite/", NEW)
    assert again.status_code == 422
    assert "has a role at Able Moose Accounting already" in again.content.decode()


def test_widening_rights_asks_for_a_fresh_proof(owner: User, reader: User, as_user: Any) -> None:
    browser = as_user(owner)
    browser.get("/account/")
    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        for path in ("/all/settings/people/invite/", "/all/settings/tokens/new/"):
            assert browser.get(path)["Location"].startswith("/sign-in/again/")
        lock = browser.post(f"/all/settings/people/{reader.id}/lock/")
        assert lock["Location"].startswith("/sign-in/again/")
        assert User.objects.get(pk=reader.pk).is_active
        browser.post(
            lock["Location"], {"password": factories.PASSWORD, "next": f"/all/settings/people/{reader.id}/lock/"}
        )
        assert not User.objects.get(pk=reader.pk).is_active


def test_a_server_that_sends_mail_sends_the_link(
    owner: User, able_moose: Organization, as_user: SignIn, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.SENDS_MAIL = True
    with django_capture_on_commit_callbacks(execute=True):
        page = as_user(owner).post("/all/settings/people/invite/", NEW).content.decode()
    (sent,) = mail.outbox
    assert sent.to == [NEW["email"]]
    assert "Ana" not in sent.subject
    link = re.search(r"http://localhost:8000(/invitation/[\w-]+/)", sent.body)
    assert link and link[0] in page
    assert Client().get(link[1]).status_code == 302
