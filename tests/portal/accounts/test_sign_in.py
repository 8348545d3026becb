"""Getting in: with a password, never as somebody else, never without leaving a trace."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.cache import cache
from django.test import Client

from portal.accounts.adapter import NO_SIGN_IN
from portal.accounts.models import User
from portal.accounts.tasks import note_failed_sign_in
from portal.common import clock, queue
from portal.tenants.models import Entry, Organization
from tests.factories import PASSWORD

WRONG = "not the password at all"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Each test begins with nobody having tried anything."""
    cache.clear()


def sign_in(client: Client, email: str, password: str, **headers: str) -> Any:
    return client.post("/sign-in/", {"login": email, "password": password}, headers=headers)


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def verbs() -> list[str]:
    return [e.verb for e in Entry.rows.filter(verb__startswith="person.").order_by("sequence")]


def test_the_page_works_without_scripts_and_names_the_provider(reader: User) -> None:
    page = Client().get("/sign-in/").content.decode()
    assert "<h1>Northwind IT</h1>" in page
    assert 'name="login"' in page and 'name="password"' in page
    assert "Continue with passkey" in page and "Use password" in page


def test_a_person_signs_in_and_out_and_both_are_told(reader: User) -> None:
    client = Client()
    answer = sign_in(client, reader.email.upper(), PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_in(client)
    out = client.post("/sign-out/")
    assert out["Location"] == "/sign-in/"
    assert "storage" in out["Clear-Site-Data"]
    assert not is_in(client)
    assert verbs() == ["person.signed_in", "person.signed_out"]
    assert Entry.rows.get(verb="person.signed_in").details == {"methods": ["password"]}


def test_signing_out_needs_a_post(reader: User, as_user: Any) -> None:
    client = as_user(reader)
    assert client.get("/sign-out/").status_code == 200
    assert is_in(client)


def test_the_answer_is_the_same_whether_the_person_exists_or_not(reader: User, customer_admin: User) -> None:
    customer_admin.is_active = False
    customer_admin.save()
    pages = {}
    for email, password in (
        (reader.email, WRONG),
        ("nobody@able-moose-accounting.example", WRONG),
        (customer_admin.email, PASSWORD),
    ):
        answer = sign_in(Client(), email, password)
        pages[email] = (answer.status_code, _without_tokens(answer.content.decode(), email))
    assert len(set(pages.values())) == 1
    assert NO_SIGN_IN in next(iter(pages.values()))[1]


def test_a_failed_try_is_told_for_a_known_person_only(reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(queue, "publish", lambda name, **ids: sent.append(ids) or True)
    sign_in(Client(), reader.email, WRONG)
    sign_in(Client(), "nobody@example.com", WRONG)
    assert not Entry.rows.filter(verb="person.sign_in_failed").exists()
    for ids in sent:
        note_failed_sign_in(**ids)
    entry = Entry.rows.get(verb="person.sign_in_failed")
    assert (entry.actor_kind, entry.target_id) == ("anonymous", str(reader.id))


def test_without_a_broker_a_failed_try_is_told_at_once(reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "publish", lambda *_, **__: False)
    sign_in(Client(), reader.email, WRONG)
    assert Entry.rows.filter(verb="person.sign_in_failed").count() == 1


class CountingHasher(Argon2PasswordHasher):
    """Argon2 that counts its work: the time that a sign-in takes is the time of its hashing."""

    done = 0

    def encode(self, password: str, salt: str) -> str:
        CountingHasher.done += 1
        return str(super().encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        CountingHasher.done += 1
        return bool(super().verify(password, encoded))


def test_a_failing_sign_in_does_the_same_work_whoever_it_is_for(
    reader: User, customer_admin: User, settings: Any
) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    for person in (reader, customer_admin):
        person.set_password(PASSWORD)
        person.is_active = person == reader
        person.save()
    done = []
    for email, password in ((reader.email, WRONG), ("nobody@example.com", WRONG), (customer_admin.email, PASSWORD)):
        CountingHasher.done = 0
        sign_in(Client(), email, password)
        done.append(CountingHasher.done)
    assert done == [1, 1, 1]


def test_after_five_failed_tries_even_the_right_password_waits(reader: User, customer_admin: User) -> None:
    for _ in range(5):
        sign_in(Client(), reader.email, WRONG)
    held = Client()
    sign_in(held, reader.email, PASSWORD)
    assert not is_in(held)
    other = Client()
    sign_in(other, customer_admin.email, PASSWORD)
    assert is_in(other)
    with time_machine.travel(clock.now() + timedelta(seconds=301)):
        later = Client()
        sign_in(later, reader.email, PASSWORD)
        assert is_in(later)


def test_one_address_cannot_try_many_people(reader: User) -> None:
    for number in range(10):
        sign_in(Client(), f"person{number}@example.com", WRONG)
    client = Client()
    sign_in(client, reader.email, PASSWORD)
    assert not is_in(client)


def test_a_forged_forwarding_header_gives_no_new_address(reader: User) -> None:
    for number in range(10):
        sign_in(Client(), f"person{number}@example.com", WRONG, **{"X-Forwarded-For": f"10.1.1.{number}"})
    client = Client()
    sign_in(client, reader.email, PASSWORD, **{"X-Forwarded-For": "10.9.9.9"})
    assert not is_in(client)


def test_without_valkey_people_still_sign_in_and_limits_hold(
    reader: User, customer_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(cache._cache, "get_client", away)  # type: ignore[attr-defined]
    client = Client()
    sign_in(client, reader.email, PASSWORD)
    assert is_in(client)
    for _ in range(5):
        sign_in(Client(), customer_admin.email, WRONG)
    held = Client()
    sign_in(held, customer_admin.email, PASSWORD)
    assert not is_in(held)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil"]
)
def test_nobody_is_led_to_another_site(reader: User, target: str) -> None:
    answer = Client().post("/sign-in/?next=" + target, {"login": reader.email, "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


def test_after_signing_in_one_is_where_one_wanted_to_be(reader: User, able_moose: Organization) -> None:
    client = Client()
    asked = client.get("/account/")
    assert asked["Location"] == "/sign-in/?next=/account/"
    answer = client.post(asked["Location"], {"login": reader.email, "password": PASSWORD, "next": "/account/"})
    assert answer["Location"] == "/account/"


def test_the_session_changes_its_key_at_sign_in(reader: User) -> None:
    client = Client()
    client.get("/sign-in/")
    session = client.session
    session["planted"] = "x"
    session.save()
    before = session.session_key
    sign_in(client, reader.email, PASSWORD)
    assert client.session.session_key != before


def test_nobody_signs_up(reader: User) -> None:
    for path in ("/accounts/signup/", "/sign-up/", "/signup/", "/accounts/login/", "/sign-in/none/signup/"):
        assert Client().get(path).status_code == 404


def test_a_write_that_another_site_starts_is_refused(reader: User) -> None:
    answer = sign_in(Client(), reader.email, PASSWORD, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_every_page_forbids_storing_and_foreign_content(reader: User) -> None:
    answer = Client().get("/sign-in/")
    assert "no-store" in answer["Cache-Control"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Referrer-Policy"] == "same-origin"


def _without_tokens(page: str, email: str) -> str:
    lines = [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line]
    return "\n".join(lines).replace(email, "")
