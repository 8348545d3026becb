"""Sessions end: by themselves, by the person, by an administrator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from portal.accounts import people, sessions
from portal.accounts.models import User
from portal.accounts.reaches import reach_of_user
from portal.accounts.tasks import tidy
from portal.common import clock
from portal.common.api.models import KeptAnswer
from portal.tenants.models import Entry, Organization
from tests.factories import PASSWORD
from tests.portal.api.caller import Caller

SignIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def signed_in(user: User) -> Client:
    client = Client()
    client.post("/sign-in/", {"login": user.email, "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_a_session_that_nobody_uses_ends_after_half_an_hour(reader: User) -> None:
    client, start = signed_in(reader), clock.now()
    for minutes in (25, 50):
        with time_machine.travel(start + timedelta(minutes=minutes)):
            assert is_in(client)
    with time_machine.travel(start + timedelta(minutes=81)):
        assert not is_in(client)
        assert "after 30 minutes" in client.get("/sign-in/").content.decode()


def test_a_session_in_use_ends_after_twelve_hours(reader: User) -> None:
    client, start = signed_in(reader), clock.now()
    for minutes in range(20, 720, 20):
        with time_machine.travel(start + timedelta(minutes=minutes)):
            assert is_in(client)
    with time_machine.travel(start + timedelta(hours=12, minutes=1)):
        assert not is_in(client)


def test_a_script_in_the_browser_is_told_to_leave_the_page(reader: User) -> None:
    client = signed_in(reader)
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        answer = client.get("/all/computers/", headers={"HX-Request": "true"})
        assert answer.status_code == 401
        assert answer["HX-Redirect"].startswith("/sign-in/")
        assert client.get("/api/v1/organizations/").status_code == 401


def test_a_person_sees_their_sessions_and_ends_one(reader: User) -> None:
    here, there = signed_in(reader), signed_in(reader)
    page = here.get("/account/").content.decode()
    assert "this session" in page and "End all others" in page
    other = next(s for s in sessions.sessions_of(reader, current_key=here.session.session_key) if not s.is_current)
    here.post(f"/account/sessions/{other.id}/end/")
    assert is_in(here) and not is_in(there)


def test_ending_the_present_session_signs_out(reader: User) -> None:
    client = signed_in(reader)
    own = sessions.sessions_of(reader)[0]
    assert client.post(f"/account/sessions/{own.id}/end/")["Location"] == "/sign-in/"
    assert not is_in(client)


def test_nobody_ends_somebody_elses_session_by_its_number(reader: User, customer_admin: User) -> None:
    theirs = signed_in(customer_admin)
    number = sessions.sessions_of(customer_admin)[0].id
    assert signed_in(reader).post(f"/account/sessions/{number}/end/").status_code == 404
    assert is_in(theirs)


def test_all_other_sessions_end_at_once(reader: User) -> None:
    here, there = signed_in(reader), signed_in(reader)
    here.post("/account/sessions/end/")
    assert is_in(here) and not is_in(there)
    assert Entry.rows.get(verb="person.sessions_ended").details == {"sessions_ended": 1}


def test_locking_somebody_out_ends_every_session_and_token_at_once(
    owner: User, reader: User, able_moose: Organization
) -> None:
    client, caller = signed_in(reader), Caller(reader)
    assert is_in(client) and caller.get("organizations/").status_code == 200
    people.disable_person(reach_of_user(owner), user_id=reader.id)
    assert not is_in(client)
    assert caller.get("organizations/").status_code == 401
    people.enable_person(reach_of_user(owner), user_id=reader.id)
    assert not is_in(client)
    assert caller.get("organizations/").status_code == 401


def test_a_new_password_ends_the_other_sessions(reader: User) -> None:
    here, there = signed_in(reader), signed_in(reader)
    new = "another long enough sentence"
    changed = here.post("/account/password/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert changed.status_code == 302
    assert is_in(here) and not is_in(there)


def test_what_has_ended_is_tidied_away(owner: User, northwind: Organization) -> None:
    client, caller = signed_in(owner), Caller(owner)
    caller.post("organizations/", {"name": "X", "parent": "northwind-it"}, **{"Idempotency-Key": "1"})
    tidy()
    assert is_in(client) and KeptAnswer.objects.count() == 1
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        tidy()
        tidy()
    assert (Session.objects.count(), UserSession.objects.count(), KeptAnswer.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Version/19.1 Mobile Safari/604.1", "Safari on iPhone"),
        ("curl/8.14", "A program"),
    ],
)
def test_a_session_says_where_it_is_in_words(reader: User, told: str, words: str) -> None:
    client = Client(headers={"User-Agent": told})
    client.post("/sign-in/", {"login": reader.email, "password": PASSWORD})
    assert sessions.sessions_of(reader)[0].device == words
