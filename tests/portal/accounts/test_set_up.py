"""The first run: possible once, with the server's own token; afterwards it was never there."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from portal.accounts import setup
from portal.accounts.models import Membership, Role, User
from portal.common import clock
from portal.tenants.models import Entry, Organization
from portal.tenants.scoping import reaching
from tests.factories import PASSWORD, SYSTEM

WANTED = {
    "organization": "Northwind IT",
    "time_zone": "Europe/Vienna",
    "name": "Olive Owner",
    "email": "olive@northwind.example",
    "password": PASSWORD,
}


def token(days_ago: int = 0) -> str:
    return setup.token_of((clock.now() - timedelta(days=days_ago)).date())


def test_the_first_person_becomes_owner_and_signs_in(world: None) -> None:
    client = Client()
    assert client.get("/sign-in/")["Location"] == "/set-up/"
    answer = client.post("/set-up/", {**WANTED, "token": token()})
    assert answer["Location"] == "/sign-in/"
    with reaching(SYSTEM):
        root = Organization.objects.within(SYSTEM).get()
        assert (root.name, root.slug, root.parent, root.time_zone) == (
            "Northwind IT",
            "northwind-it",
            None,
            "Europe/Vienna",
        )
        assert Membership.objects.within(SYSTEM).get().role == Role.OWNER
        assert Entry.objects.within(SYSTEM).filter(verb="organization.created").count() == 1
    signed_in = client.post("/sign-in/", {"login": WANTED["email"], "password": PASSWORD})
    assert signed_in["Location"] == "/"


@pytest.mark.parametrize("given", ["", "nonsense", token(2), token(-1)])
def test_without_the_servers_token_of_today_nothing_happens(world: None, given: str) -> None:
    assert Client().post("/set-up/", {**WANTED, "token": given}).status_code == 422
    assert not User.objects.exists()


def test_yesterdays_token_still_works(world: None) -> None:
    assert Client().post("/set-up/", {**WANTED, "token": token(1)}).status_code == 302


@pytest.mark.parametrize("password", ["short", "password1234", "olive@northwind.example"])
def test_a_weak_password_is_refused(world: None, password: str) -> None:
    assert Client().post("/set-up/", {**WANTED, "password": password, "token": token()}).status_code == 422
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "path",
    ["/set-up/", "/set-up", "/Set-Up/", "/SET-UP/", "/set-up//", "/set-up/x", "/set-up/index.php",
     "/set-up;a=b/", "/set-up/..", "/./set-up/", "/set-up%2f", "/setup/", "/set_up/", "/sign-in/set-up/"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post"])
def test_afterwards_no_spelling_of_it_is_found(owner: User, path: str, method: str) -> None:
    answer = getattr(Client(), method)(path, {**WANTED, "token": token()})
    assert answer.status_code == 404
    assert User.objects.count() == 1


def test_the_command_prints_the_token_only_before(world: None, request: pytest.FixtureRequest) -> None:
    printed = StringIO()
    call_command("setup_token", stdout=printed)
    assert token() in printed.getvalue()
    request.getfixturevalue("owner")
    with pytest.raises(CommandError):
        call_command("setup_token", stdout=printed)
