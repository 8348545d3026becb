"""What every REST resource promises: who may, what a body may hold, how errors and lists look."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.accounts.models import ApiToken, User
from portal.common import clock
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from tests import factories
from tests.portal.api.caller import Caller


def test_without_a_token_the_answer_is_401_and_says_how(northwind: Organization) -> None:
    answer = Client().get("/api/v1/organizations/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="portcullis"'
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer nonsense", "Basic b2xpdmU6cHc=", "Bearer pc_a_b", "Bearer \x00"])
def test_a_bad_token_is_401(northwind: Organization, header: str) -> None:
    assert Client().get("/api/v1/organizations/", headers={"Authorization": header}).status_code == 401


def test_an_altered_secret_is_401(reader: User) -> None:
    caller = Caller(reader)
    caller.secret = caller.secret[:-1] + ("A" if caller.secret[-1] != "A" else "B")
    assert caller.get("organizations/").status_code == 401


def test_a_token_ends_on_its_date(reader: User) -> None:
    caller = Caller(reader)
    assert caller.get("organizations/").status_code == 200
    with time_machine.travel(clock.now() + timedelta(days=31)):
        assert caller.get("organizations/").status_code == 401


def test_a_disabled_person_has_no_token(reader: User) -> None:
    caller = Caller(reader)
    reader.is_active = False
    reader.save()
    assert caller.get("organizations/").status_code == 401


def test_a_token_does_no_more_than_its_creator_still_may(technician: User, able_moose: Organization) -> None:
    caller = Caller(technician, [Capability.COMPUTER_READ, Capability.COMPUTER_WRITE])
    body = {"organization": "able-moose-accounting", "name": "Finance", "os": "windows"}
    assert caller.post("computer-groups/", body).status_code == 201
    technician.memberships.update(role="customer_reader")
    assert caller.post("computer-groups/", {**body, "name": "Sales"}).status_code == 403


def test_a_token_does_no_more_than_it_was_given(technician: User) -> None:
    caller = Caller(technician, [Capability.COMPUTER_READ])
    answer = caller.post("computer-groups/", {"organization": "able-moose-accounting", "name": "F", "os": "windows"})
    assert answer.status_code == 403
    assert answer.json()["capability"] == "computer:write"


def test_a_tokens_use_is_noted(reader: User) -> None:
    caller = Caller(reader)
    caller.get("organizations/")
    assert ApiToken.rows.get(user=reader).last_used_at is not None


def test_out_of_reach_is_404_and_looks_like_nothing(reader: User, brisk_otter: Organization) -> None:
    caller = Caller(reader)
    foreign = caller.get(f"organizations/{brisk_otter.id}/")
    missing = caller.get("organizations/0193aaaa-0000-7000-8000-000000000000/")
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json()
    assert caller.get("organizations/brisk-otter-dental/").status_code == 404
    assert [o["slug"] for o in caller.get("organizations/").json()["results"]] == ["able-moose-accounting"]


def test_a_slug_is_taken_wherever_an_id_is(reader: User, able_moose: Organization) -> None:
    caller = Caller(reader)
    by_slug = caller.get("organizations/able-moose-accounting/").json()
    assert by_slug == caller.get(f"organizations/{able_moose.id}/").json()
    assert by_slug["created_at"].endswith("Z")


def test_an_unknown_field_is_refused_and_the_nearest_is_named(owner: User) -> None:
    answer = Caller(owner).post("organizations/", {"nam": "X", "parent": "northwind-it"})
    assert answer.status_code == 422
    faults = {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}
    assert "Did you mean name?" in faults["/nam"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": 5, "parent": "northwind-it"}, "/name"),
        ({"name": "X", "parent": ["northwind-it"]}, "/parent"),
        ({"name": "X", "parent": "northwind-it", "color": "pink"}, "/color"),
        ({"name": "X\u202e", "parent": "northwind-it"}, "/name"),
        ({"name": "X", "parent": "northwind-it", "time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"parent": "northwind-it"}, "/name"),
    ],
)
def test_a_wrong_value_is_422_and_the_place_is_named(owner: User, body: object, pointer: str) -> None:
    answer = Caller(owner).post("organizations/", body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "raw",
    [
        '{"name": "a", "name": "b"}',
        '{"name": NaN}',
        '{"name": 1e999}',
        '{"name": "\\u0000"}',
        '{"name": "\\ud800"}',
        "[" * 100_000,
        "[" * 40 + "]" * 40,
        '{"name"',
        b"\xff\xfe",
        '"text"',
        "1" * 5000,
    ],
)
def test_hostile_json_is_422(owner: User, raw: str | bytes) -> None:
    answer = Caller(owner).post("organizations/", raw)
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"


def test_only_json_is_taken(owner: User) -> None:
    answer = Client().post(
        "/api/v1/organizations/", {"name": "X"}, headers={"Authorization": f"Bearer {Caller(owner).secret}"}
    )
    assert answer.status_code == 415


def test_a_body_past_the_limit_is_413(owner: User) -> None:
    answer = Caller(owner).post("organizations/", b'{"name": "' + b"x" * 1_000_001 + b'"}')
    assert answer.status_code == 413


def test_a_body_without_a_length_is_refused_and_not_taken_for_empty(owner: User, able_moose: Organization) -> None:
    answer = Caller(owner).patch("organizations/able-moose-accounting/", "", **{"Transfer-Encoding": "chunked"})
    assert answer.status_code == 422
    assert "Content-Length" in answer.json()["detail"]


def test_an_unknown_query_parameter_is_422(reader: User) -> None:
    answer = Caller(reader).get("organizations/?pagesize=3&q=a")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/pagesize"
    assert Caller(reader).get("organizations/?q=a&q=b").status_code == 422


def test_an_unknown_address_is_a_problem_too(reader: User) -> None:
    answer = Caller(reader).get("no-such-thing/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert "slash" in Caller(reader).get("organizations").json()["detail"]


def test_a_method_that_a_resource_lacks_is_405(reader: User) -> None:
    answer = Caller(reader).call("PUT", "organizations/", {})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, POST, HEAD")
    assert Caller(reader).call("OPTIONS", "organizations/").status_code == 405


def test_lists_are_paged_both_ways(owner: User, northwind: Organization) -> None:
    for number in range(5):
        factories.organization(f"Customer {number}", northwind)
    caller = Caller(owner)
    first = caller.get("organizations/?page_size=2&count=true").json()
    assert first["count"] == 6
    assert first["previous"] is None
    second = caller.get(_path(first["next"])).json()
    third = caller.get(_path(second["next"])).json()
    names = [row["name"] for page in (first, second, third) for row in page["results"]]
    assert names == [f"Customer {n}" for n in range(5)] + ["Northwind IT"]
    assert third["next"] is None
    assert caller.get(_path(third["previous"])).json()["results"] == second["results"]


@pytest.mark.parametrize("query", ["page_size=0", "page_size=501", "page_size=x", "after=forged.cursor", "count=maybe"])
def test_a_wrong_page_is_422(reader: User, query: str) -> None:
    assert Caller(reader).get(f"organizations/?{query}").status_code == 422


def test_a_browsers_session_works_and_its_writes_need_the_csrf_token(owner: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    assert browser.get("/api/v1/organizations/").status_code == 200
    body = {"name": "X", "parent": "northwind-it"}
    assert browser.post("/api/v1/organizations/", body, content_type="application/json").status_code == 403


def test_the_cost_of_a_list_does_not_grow_with_it(owner: User, northwind: Organization) -> None:
    caller = Caller(owner)
    caller.get("organizations/")  # notes the token's use, once a minute

    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert caller.get("organizations/").status_code == 200
        return len(seen)

    few = statements()
    for number in range(20):
        factories.organization(f"Customer {number}", northwind)
    assert statements() == few


def _path(address: str) -> str:
    return address.removeprefix("http://testserver")
