"""API tokens: made for less than one has oneself, shown once, ended at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from portal.accounts.models import ApiToken, User
from portal.common import clock
from portal.tenants.models import Entry, Organization
from tests.portal.api.caller import Caller

SignIn = Callable[[User], Client]


def wish(**changes: Any) -> dict[str, Any]:
    return {
        "name": "nightly",
        "organizations": ["able-moose-accounting"],
        "capabilities": ["audit:read"],
        "expires_at": (clock.now() + timedelta(days=7)).isoformat(),
        **changes,
    }


def test_a_new_token_works_for_what_it_was_given_and_nothing_else(
    owner: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    made = Caller(owner).post("api-tokens/", wish(capabilities=["organization:read"])).json()
    client = Client(headers={"Authorization": f"Bearer {made['secret']}"})
    assert [o["slug"] for o in client.get("/api/v1/organizations/").json()["results"]] == ["able-moose-accounting"]
    assert client.get("/api/v1/organizations/northwind-it/").status_code == 404
    assert client.get("/api/v1/computers/").status_code == 403
    assert Entry.rows.get(verb="token.created", target_id=made["id"]).after["prefix"] == made["prefix"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"organizations": []}, "/organizations"),
        ({"capabilities": []}, "/capabilities"),
        ({"capabilities": ["everything"]}, "/capabilities/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": None}, "/expires_at"),
    ],
)
def test_a_token_of_nothing_or_for_ever_is_refused(
    owner: User, able_moose: Organization, change: Any, pointer: str
) -> None:
    answer = Caller(owner).post("api-tokens/", wish(**change))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_nobody_makes_a_token_for_more_than_they_have(technician: User, brisk_otter: Organization) -> None:
    caller = Caller(technician)
    assert caller.post("api-tokens/", wish(capabilities=["user:write"])).status_code == 422
    assert caller.post("api-tokens/", wish(organizations=["brisk-otter-dental"])).status_code == 404


def test_a_token_made_with_a_token_ends_with_it(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    late = (clock.now() + timedelta(days=60)).isoformat()
    assert caller.post("api-tokens/", wish(expires_at=late)).status_code == 422
    child = caller.post("api-tokens/", wish(capabilities=["organization:read"])).json()
    parent = ApiToken.rows.get(prefix=caller.secret.rsplit("_", 1)[0][:15])
    with_child = Client(headers={"Authorization": f"Bearer {child['secret']}"})
    assert with_child.get("/api/v1/organizations/").status_code == 200
    assert caller.delete(f"api-tokens/{parent.id}/").status_code == 204
    assert with_child.get("/api/v1/organizations/").status_code == 401


def test_a_revoked_token_is_refused_from_the_next_request_on(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    made = caller.post("api-tokens/", wish(capabilities=["organization:read"])).json()
    assert "secret" not in caller.get(f"api-tokens/{made['id']}/").json()
    assert caller.delete(f"api-tokens/{made['id']}/").status_code == 204
    client = Client(headers={"Authorization": f"Bearer {made['secret']}"})
    assert client.get("/api/v1/organizations/").status_code == 401
    assert caller.get(f"api-tokens/{made['id']}/").json()["is_live"] is False


def test_a_leaked_secret_is_found_by_its_beginning(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    made = caller.post("api-tokens/", wish()).json()
    found = caller.get(f"api-tokens/?q={made['secret'][:15]}").json()["results"]
    assert [t["id"] for t in found] == [made["id"]]


def test_tokens_of_another_customer_are_not_seen(technician: User, stranger: User) -> None:
    Caller(technician)
    theirs = ApiToken.rows.get(user=technician)
    caller = Caller(stranger)
    assert caller.get(f"api-tokens/{theirs.id}/").status_code == 404
    assert caller.delete(f"api-tokens/{theirs.id}/").status_code == 404
    assert str(theirs.id) not in caller.get("api-tokens/").content.decode()


def test_making_a_token_on_the_screen_shows_the_secret_once(
    technician: User, able_moose: Organization, as_user: SignIn
) -> None:
    browser = as_user(technician)
    form = {
        "name": "ci",
        "organizations": ["able-moose-accounting"],
        "capabilities": ["organization:read"],
        "days": "7",
    }
    page = browser.post("/o/able-moose-accounting/settings/tokens/new/", form).content.decode()
    secret = re.search(r'id="secret">(pc_\w+?_[\w-]+)<', page)
    assert secret
    assert Client(headers={"Authorization": f"Bearer {secret[1]}"}).get("/api/v1/organizations/").status_code == 200
    listed = browser.get("/o/able-moose-accounting/settings/tokens/").content.decode()
    assert secret[1] not in listed and secret[1][:15] in listed
    token = ApiToken.rows.get(name="ci")
    browser.post(f"/o/able-moose-accounting/settings/tokens/{token.id}/revoke/")
    assert Client(headers={"Authorization": f"Bearer {secret[1]}"}).get("/api/v1/organizations/").status_code == 401


def test_the_form_offers_only_what_one_has(technician: User, as_user: SignIn) -> None:
    page = as_user(technician).get("/all/settings/tokens/new/").content.decode()
    assert "policy:write" in page and "user:write" not in page
    wrong = {"name": "x", "organizations": ["able-moose-accounting"], "capabilities": ["user:write"], "days": "7"}
    assert as_user(technician).post("/all/settings/tokens/new/", wrong).status_code == 422
