"""The list as it is looked at: places, filters in the address, what is hidden, ties over pages, CSV, pages' cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from policies import authoring, listing, placing
from policies.listing import PolicyTerms
from policies.models import Action, Application, MatchCount, Policy, Status
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
LIST = "/o/able-moose-accounting/policies/"
FENCE = {"network": {"mode": "enforce", "entries": []}}


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    return an_application(SYSTEM, able_moose, "Acme Tools")


def names(answer: Any) -> list[str]:
    return [row.policy.name for row in answer.context["rows"] if not row.policy.is_default]


@pytest.fixture
def varied(finance: ComputerGroup, tools: Application) -> dict[str, Policy]:
    """One policy for each filter."""
    now = clock.now()
    fields: dict[str, dict[str, Any]] = {
        "plain": {},
        "denies": {"action": Action.DENY, "status": Status.SECURED},
        "fenced": {"action": Action.PERMIT_RINGFENCED, "ringfence": FENCE},
        "expiring": {"expires_at": now + timedelta(days=3)},
        "toms": {"owner": "Tom Technician"},
        "off": {"enabled": False},
        "armed": {"enabled": False},
    }
    made = {name: a_policy(SYSTEM, at_group(finance), tools, name=name, **more) for name, more in fields.items()}
    long_ago = now - timedelta(weeks=7)
    Policy.rows.filter(id=made["denies"].id).update(created_at=long_ago, last_matched_at=long_ago)
    Policy.rows.filter(id=made["fenced"].id).update(created_at=long_ago, last_matched_at=now)
    Policy.rows.filter(id=made["armed"].id).update(armed_until=now + timedelta(hours=1))
    return made


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["plain", "denies", "fenced", "expiring", "toms", "armed"]),
        ("include_disabled=true", ["plain", "denies", "fenced", "expiring", "toms", "off", "armed"]),
        ("action=deny", ["denies"]),
        ("status=secured", ["denies"]),
        ("ringfence=yes", ["fenced"]),
        ("ringfence=no&q=ED", ["armed"]),
        ("matched=unused", ["denies"]),
        ("matched=never", ["plain", "expiring", "toms", "armed"]),
        ("expiring=true", ["expiring"]),
        ("mine=true", ["toms"]),
        ("armed=true", ["armed"]),
        ("action=nonsense", ["plain", "denies", "fenced", "expiring", "toms", "armed"]),
    ],
)
def test_each_filter_is_the_address(tom: Client, varied: dict[str, Policy], query: str, shown: list[str]) -> None:
    answer = tom.get(f"{LIST}?{query}")
    assert names(answer) == shown


def test_what_a_filter_hides_is_counted_and_dragging_says_why_it_is_off(tom: Client, varied: dict[str, Policy]) -> None:
    html = tom.get(f"{LIST}?action=deny&matched=unused").content.decode()
    assert "7 others hidden" in html  # six policies of the group and its default
    assert "A filter hides policies between these" in html
    assert "Remove: No match for 6 weeks" in html
    assert "data-still" not in tom.get(LIST).content.decode()
    assert "No policy matches" in tom.get(f"{LIST}?q=nothing-like-it").content.decode()


def test_a_tie_is_told_also_when_the_other_one_is_on_the_next_page_or_filtered_away(
    tom: Client, able_moose: Organization, finance: ComputerGroup, tools: Application
) -> None:
    for number in range(39):
        a_policy(SYSTEM, at_group(finance), tools, name=f"grp-{number}")
    last = a_policy(SYSTEM, at_group(finance), tools, name="grp-last", action=Action.DENY)
    a_policy(SYSTEM, at_organization(able_moose), tools, name="org-twin", place=placing.at(last.order))
    page = tom.get(LIST)
    assert page.context["rows"][-1].policy.name == "grp-last"
    assert page.context["rows"][-1].tie == "same order as org-twin; the deny goes first"
    filtered = tom.get(f"{LIST}?q=grp-last")
    assert filtered.context["rows"][0].tie == "same order as org-twin; the deny goes first"


def test_an_inherited_policy_is_grey_and_leads_to_its_row_at_home(
    owner: User, northwind: Organization, fin_01: Computer, as_user: Callable[[User], Client]
) -> None:
    miners = an_application(SYSTEM, northwind, "Miners")
    for number in range(60):
        block = a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name=f"glb-{number}")
    olive = as_user(owner)
    link = f"/o/northwind-it/policies/?scope=global&amp;include_disabled=true&amp;at={block.id}#policy-{block.id}"
    assert link in tom_page(olive, f"{LIST}?effective_for={fin_01.id}&q=glb-59")
    home = olive.get(f"/o/northwind-it/policies/?scope=global&include_disabled=true&at={block.id}")
    assert f'id="policy-{block.id}"' in home.content.decode()
    assert "Earlier policies" in home.content.decode()


def tom_page(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_the_place_can_be_a_computer_found_by_its_name(tom: Client, fin_01: Computer, tools: Application) -> None:
    own = {"level": "computer", "target": str(fin_01.id)}
    Caller(User.objects.get(name="Tom Technician")).post(
        "policies/", {"scope": own, "applications": [str(tools.id)], "action": "permit", "name": "cmp-tools"}
    )
    found = tom.get(f"{LIST}places/?q=FIN", headers={"HX-Request": "true", "HX-Target": "places-found"})
    assert f"?effective_for={fin_01.id}" in found.content.decode()
    seen = tom.get(f"{LIST}?effective_for={fin_01.id}")
    assert (names(seen), "As seen by fin-01" in seen.content.decode()) == (["cmp-tools"], True)
    assert "No computer is called like that" in tom_page(tom, f"{LIST}places/?q=zzz")


def test_matches_of_thirty_days_stand_in_the_row(
    tom: Client, able_moose: Organization, varied: dict[str, Policy]
) -> None:
    today = clock.now()
    for days, count in ((1, 1_200), (40, 9_000)):
        MatchCount.rows.create(
            organization=able_moose, day=(today - timedelta(days=days)).date(), policy=varied["plain"].id,
            count=count, last_at=today - timedelta(days=days),
        )  # fmt: skip
    assert "1,200" in tom_page(tom, LIST)
    assert "10,200" not in tom_page(tom, LIST)


def test_the_export_is_the_list_as_filtered_safe_and_journaled(
    tom: Client, finance: ComputerGroup, tools: Application, varied: dict[str, Policy]
) -> None:
    a_policy(SYSTEM, at_group(finance), tools, name="=cmd|' /C calc'!A0", action=Action.DENY)
    answer = tom.get(f"{LIST}export/?action=deny")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == ["denies", "'=cmd|' /C calc'!A0", "Default - (Finance)"]
    assert rows[0]["order"] == str(varied["denies"].order)
    told = Entry.objects.within(SYSTEM).get(verb="policies.exported")
    assert told.details["query"]["action"] == "deny"


def test_the_api_takes_the_same_filters(technician: User, varied: dict[str, Policy], fin_01: Computer) -> None:
    caller = Caller(technician)
    for query, shown in (("ringfence=yes", ["fenced"]), ("matched=unused", ["denies"]), ("armed=true", ["armed"])):
        found = caller.get(f"policies/?organization=able-moose-accounting&{query}").json()["results"]
        assert [p["name"] for p in found if not p["is_default"]] == shown, query
    assert caller.get("policies/?ringfence=maybe").status_code == 422


def test_another_customers_person_sees_and_moves_nothing(
    stranger: User, varied: dict[str, Policy], as_user: Callable[[User], Client]
) -> None:
    sam = as_user(stranger)
    policy = varied["plain"]
    for path in (
        f"{LIST}export/",
        f"{LIST}places/?q=fin",
        f"{LIST}{policy.id}/menu/",
        "/o/able-moose-accounting/undo/",
    ):
        assert sam.get(path).status_code == 404, path
    assert sam.post(f"{LIST}{policy.id}/move/", {"place": "bottom"}).status_code == 404
    assert sam.post(f"/o/brisk-otter-dental/policies/{policy.id}/move/", {"place": "bottom"}).status_code == 404


@pytest.mark.parametrize(("query", "most"), [("", 30), ("effective_in={group}", 36), ("q=grp&action=permit", 31)])
def test_a_list_takes_as_many_statements_for_forty_rows_as_for_four(
    tom: Client, finance: ComputerGroup, tools: Application, query: str, most: int,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    address = f"{LIST}?{query.format(group=finance.id)}"
    counted = []
    for batch in (4, 40):
        for number in range(batch):
            a_policy(SYSTEM, at_group(finance), tools, name=f"grp-{batch}-{number}")
        tom.get(address)
        with django_assert_max_num_queries(most) as seen:
            tom.get(address)
        counted.append(len(seen))
    assert counted[0] == counted[1]


def test_renumbering_at_the_top_of_a_page_is_by_evaluation_not_by_name(
    finance: ComputerGroup, tools: Application
) -> None:
    made = [a_policy(SYSTEM, at_group(finance), tools, name=name) for name in ("z", "a", "m")]
    authoring.move_policy(SYSTEM, made[2].id, place=placing.TOP)
    listed = listing.policies_listed(SYSTEM, PolicyTerms(organization=str(finance.organization_id)))
    assert [policy.name for policy in listed if not policy.is_default] == ["m", "z", "a"]
