"""The second factor: asked for where the role wants it, set up by oneself, used once per code, sealed at rest."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import hotp_value
from django.core.cache import cache
from django.test import Client

from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Entry, Organization
from tests.factories import PASSWORD

STAFF = ["owner", "technician", "approver"]


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


def code_of(secret: str, *, at: float | None = None) -> str:
    return f"{hotp_value(secret, int(at or time.time()) // 30):06}"


def signed_in(user: User) -> Client:
    client = Client()
    client.post("/sign-in/", {"login": user.email, "password": PASSWORD})
    return client


def set_up_app(client: Client) -> str:
    """Set up an authenticator app as a person does; its secret."""
    page = client.get("/account/second-factor/app/").content.decode()
    secret = re.search(r"By hand: <code>([A-Z2-7]+)</code>", page)
    assert secret
    answer = client.post("/account/second-factor/app/", {"code": code_of(secret[1])})
    assert answer["Location"] == "/account/second-factor/codes/"
    return secret[1]


def test_staff_without_a_second_factor_gets_no_further_than_setting_one_up(
    technician: User, able_moose: Organization, settings: Any
) -> None:
    settings.MFA_REQUIRED_ROLES = STAFF
    client = signed_in(technician)
    for path in ("/", "/all/computers/", f"/o/{able_moose.slug}/groups/", "/account/"):
        assert client.get(path)["Location"] == "/account/second-factor/"
    assert client.get("/api/v1/organizations/").status_code == 403
    fragment = client.get("/all/computers/", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (401, "/account/second-factor/")
    set_up_app(client)
    assert client.get("/all/computers/").status_code == 200


def test_a_customer_reader_needs_none(reader: User, settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = STAFF
    assert signed_in(reader).get("/all/computers/").status_code == 200


def test_after_the_password_comes_the_code_and_it_works_once(reader: User) -> None:
    secret = set_up_app(signed_in(reader))
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        client, thief = Client(), Client()
        for each in (client, thief):
            answer = each.post("/sign-in/", {"login": reader.email, "password": PASSWORD})
            assert answer["Location"] == "/sign-in/second-factor/"
            assert each.get("/account/").status_code == 302
        code = code_of(secret)
        assert client.post("/sign-in/second-factor/", {"code": "000000"}).status_code == 200
        assert client.post("/sign-in/second-factor/", {"code": code})["Location"] == "/"
        assert client.get("/account/").status_code == 200
        thief.post("/sign-in/second-factor/", {"code": code})
        assert thief.get("/account/").status_code == 302
    assert Entry.rows.filter(verb="person.second_factor_failed").count() == 2
    last = Entry.rows.filter(verb="person.signed_in").order_by("-sequence").first()
    assert last is not None and last.details == {"methods": ["password", "totp"]}


def test_a_recovery_code_replaces_the_app_once(reader: User) -> None:
    client = signed_in(reader)
    set_up_app(client)
    codes = re.findall(
        r"^(?: *<pre[^>]*>)?([0-9-]{8,})$", client.get("/account/second-factor/codes/").content.decode(), re.M
    )
    assert len(codes) == 10
    for expected in (200, 302):
        other = Client()
        other.post("/sign-in/", {"login": reader.email, "password": PASSWORD})
        other.post("/sign-in/second-factor/", {"code": codes[0]})
        assert other.get("/account/").status_code == expected


def test_guessing_codes_is_stopped(reader: User) -> None:
    secret = set_up_app(signed_in(reader))
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        client = Client()
        client.post("/sign-in/", {"login": reader.email, "password": PASSWORD})
        for number in range(6):
            client.post("/sign-in/second-factor/", {"code": f"{number:06}"})
        client.post("/sign-in/second-factor/", {"code": code_of(secret)})
        assert client.get("/account/").status_code == 302


def test_the_secret_of_an_app_is_not_readable_in_the_database(reader: User) -> None:
    secret = set_up_app(signed_in(reader))
    stored = Authenticator.objects.get(user=reader, type=Authenticator.Type.TOTP).data
    assert secret not in str(stored)


def test_the_last_factor_stays_while_the_role_asks_for_one(technician: User, settings: Any) -> None:
    settings.MFA_REQUIRED_ROLES = STAFF
    client = signed_in(technician)
    set_up_app(client)
    page = client.post("/account/second-factor/app/remove/", {})
    assert "Your role asks for a second factor" in page.content.decode()
    assert Authenticator.objects.filter(user=technician, type=Authenticator.Type.TOTP).exists()


def test_changing_a_factor_long_after_signing_in_asks_for_a_fresh_proof(reader: User) -> None:
    client = signed_in(reader)
    assert client.get("/account/second-factor/app/").status_code == 200
    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        asked = client.get("/account/second-factor/app/")
        assert asked["Location"].startswith("/sign-in/again/?next=%2Faccount%2Fsecond-factor")
        wrong = client.post(asked["Location"], {"password": "wrong", "next": "/account/second-factor/app/"})
        assert wrong.status_code == 200
        client.post(asked["Location"], {"password": PASSWORD, "next": "/account/second-factor/app/"})
        assert client.get("/account/second-factor/app/").status_code == 200


def test_passkey_options_are_given_to_anybody_and_name_nobody(reader: User) -> None:
    answer = Client().get("/sign-in/passkey/", headers={"Accept": "application/json"})
    options = answer.json()["request_options"]["publicKey"]
    assert options["challenge"]
    assert not options.get("allowCredentials")


def test_a_forged_passkey_is_refused(reader: User) -> None:
    client = Client()
    client.get("/sign-in/passkey/", headers={"Accept": "application/json"})
    for credential in ("{}", "[]", "null", '{"id": "x"}', "not json"):
        client.post("/sign-in/passkey/", {"credential": credential})
        assert client.get("/account/").status_code == 302
