"""Moving on screen and over REST: what is seen is what happens, who was first wins, one step undoes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from policies import authoring, placing
from policies.models import Action, Application, Policy, UndoStep
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally, orders
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
LIST = "/o/able-moose-accounting/policies/"


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    return an_application(SYSTEM, able_moose, "Acme Tools")


@pytest.fixture
def three(finance: ComputerGroup, tools: Application) -> list[Policy]:
    return [a_policy(SYSTEM, at_group(finance), tools, name=f"grp-{letter}") for letter in "abc"]


def post(client: Client, path: str, **body: Any) -> Any:
    headers = {"HX-Request": "true", "HX-Target": "policy-table", "HX-Current-URL": f"http://testserver{LIST}"}
    return client.post(f"{LIST}{path}", body, headers=headers)


def test_up_and_down_pass_one_policy_also_of_equal_numbers(
    tom: Client, able_moose: Organization, finance: ComputerGroup, tools: Application, three: list[Policy]
) -> None:
    twin = a_policy(SYSTEM, at_organization(able_moose), tools, name="org-b", place=placing.at(three[1].order))
    post(tom, f"{three[0].id}/move/", place="down")
    assert orders(*three, twin) == [100_201 - 50, 100_101, 100_201, 100_101]
    first = post(tom, f"{three[1].id}/move/", place="up")
    assert first.status_code == 422
    assert "is the first one already" in first.content.decode()


def test_a_position_is_counted_from_the_first_of_its_kind(tom: Client, three: list[Policy]) -> None:
    post(tom, f"{three[2].id}/move/", where="position", number="2")
    assert orders(*three) == [100_001, 100_101, 100_051]
    post(tom, f"{three[0].id}/move/", where="position", number="99")
    assert orders(*three) == [100_201, 100_101, 100_051]


def test_a_renumbering_is_shown_policy_by_policy_and_nothing_is_kept_before_it_is_agreed(
    tom: Client, three: list[Policy]
) -> None:
    asked = post(tom, f"{three[2].id}/move/", place="top")
    assert asked["HX-Retarget"] == "#dialog"
    assert orders(*three) == [100_001, 100_101, 100_201]
    shown = [(one.name, one.old, one.new) for one in asked.context["asked"].renumbered]
    assert shown == [("grp-a", 100_001, 100_101), ("grp-b", 100_101, 100_201)]
    done = post(tom, f"{three[2].id}/move/", place="top", agreed=asked.context["asked"].fingerprint)
    assert done.status_code == 200
    assert orders(*three) == [100_101, 100_201, 100_001]


def test_a_renumbering_that_is_another_one_by_now_is_shown_again(tom: Client, three: list[Policy]) -> None:
    asked = post(tom, f"{three[2].id}/move/", place="top")
    authoring.delete_policy(SYSTEM, three[1].id)
    again = post(tom, f"{three[2].id}/move/", place="top", agreed=asked.context["asked"].fingerprint)
    assert [one.name for one in again.context["asked"].renumbered] == ["grp-a"]
    assert orders(three[0], three[2]) == [100_001, 100_201]


def test_without_scripts_the_renumbering_is_a_page_with_its_button(tom: Client, three: list[Policy]) -> None:
    page = tom.post(f"{LIST}{three[2].id}/move/", {"place": "top"})
    assert "Renumber and move" in page.content.decode()
    body = {"place": "top", "agreed": page.context["asked"].fingerprint, "seen": str(three[2].order)}
    assert tom.post(f"{LIST}{three[2].id}/move/", body).status_code == 302
    assert orders(three[2]) == [100_001]


def test_who_moved_it_first_is_told_with_both_orders_and_the_choice(tom: Client, three: list[Policy]) -> None:
    authoring.move_policy(SYSTEM, three[0].id, place=placing.at(100_900))
    late = post(tom, f"{three[0].id}/move/", place="bottom", seen="100001")
    html = late.content.decode()
    assert late.status_code == 409
    assert "its order was 100,001 and is 100,900 now" in html
    assert ("Use mine" in html, "Keep theirs" in html) == (True, True)
    assert orders(three[0]) == [100_900]
    post(tom, f"{three[0].id}/move/", place="order:100050", seen="100900")
    assert orders(three[0]) == [100_050]


def test_the_toast_undoes_a_move_and_the_list_of_steps_does_it_later(tom: Client, three: list[Policy]) -> None:
    moved = post(tom, f"{three[0].id}/move/", place="bottom")
    offered = json.loads(moved["HX-Trigger"])["undo-offered"]
    assert "grp-a moved from 100,001 to 100,301" in offered["summary"]
    assert offered["summary"] in tom.get("/o/able-moose-accounting/undo/").content.decode()
    undone = tom.post(offered["href"], headers={"HX-Request": "true"})
    assert "step-undone" in json.loads(undone["HX-Trigger"])
    assert orders(*three) == [100_001, 100_101, 100_201]
    again = tom.post(offered["href"], headers={"HX-Request": "true"})
    assert (again.status_code, "was undone by" in again["HX-Trigger"]) == (409, True)
    assert Entry.objects.within(SYSTEM).filter(verb="policy.moved.undone").count() == 1


def test_undoing_refuses_and_names_what_changed_since(
    tom: Client, finance: ComputerGroup, tools: Application, three: list[Policy]
) -> None:
    post(tom, f"{three[0].id}/move/", place="bottom")
    step = UndoStep.objects.within(SYSTEM).get()
    taker = a_policy(SYSTEM, at_group(finance), tools, name="grp-new", place=placing.at(100_001))
    refused = tom.post(f"/o/able-moose-accounting/undo/{step.id}/", headers={"HX-Request": "true"})
    assert "grp-new has taken 100,001" in refused["HX-Trigger"]
    authoring.delete_policy(SYSTEM, taker.id)
    authoring.move_policy(SYSTEM, three[0].id, place=placing.at(100_777))
    refused = tom.post(f"/o/able-moose-accounting/undo/{step.id}/", headers={"HX-Request": "true"})
    assert "grp-a was moved to 100,777" in refused["HX-Trigger"]
    assert orders(three[0]) == [100_777]


def test_undoing_a_renumbering_gives_every_policy_its_former_number(tom: Client, three: list[Policy]) -> None:
    asked = post(tom, f"{three[2].id}/move/", place="top")
    post(tom, f"{three[2].id}/move/", place="top", agreed=asked.context["asked"].fingerprint)
    step = UndoStep.objects.within(SYSTEM).get()
    assert (step.kind, "2 others renumbered" in step.summary) == ("policies.renumbered", True)
    tom.post(f"/o/able-moose-accounting/undo/{step.id}/")
    assert orders(*three) == [100_001, 100_101, 100_201]


def test_own_policies_are_never_renumbered_past_a_global_one(
    everybody: None, northwind: Organization, finance: ComputerGroup, tools: Application
) -> None:
    miners = an_application(SYSTEM, northwind, "Miners")
    block = a_policy(SYSTEM, globally(SYSTEM, northwind), miners, action=Action.DENY, place=placing.at(100_010))
    above = [a_policy(SYSTEM, at_group(finance), tools, place=placing.at(order)) for order in (100_001, 100_002)]
    below = a_policy(SYSTEM, at_group(finance), tools, place=placing.at(100_011))
    new = a_policy(SYSTEM, at_group(finance), tools, place=placing.after(above[0].id))
    assert orders(above[0], new, above[1], block, below)[0] == 100_001
    assert sorted(orders(above[0], new, above[1])) == orders(above[0], new, above[1])
    assert orders(above[1])[0] < 100_010
    assert orders(block, below) == [100_010, 100_011]


def test_over_rest_a_dry_run_shows_the_renumbering_and_a_late_move_is_a_conflict(
    technician: User, three: list[Policy], fin_01: Computer
) -> None:
    caller = Caller(technician)
    tried = caller.post(f"policies/{three[2].id}/move/?dry_run=true", {"place": "top"})
    assert [(one["name"], one["old"], one["new"]) for one in tried.json()["renumbered"]] == [
        ("grp-a", 100_001, 100_101), ("grp-b", 100_101, 100_201),
    ]  # fmt: skip
    assert orders(*three) == [100_001, 100_101, 100_201]
    late = caller.post(f"policies/{three[0].id}/move/", {"place": "bottom", "seen_order": 100_500})
    assert (late.status_code, "is 100,001 now" in late.json()["detail"]) == (409, True)
    moved = caller.post(f"policies/{three[0].id}/move/", {"place": "bottom", "seen_order": 100_001}).json()
    assert (moved["order"], moved["renumbered"]) == (100_301, [])
    steps = caller.get("undo-steps/?organization=able-moose-accounting").json()["results"]
    assert [step["id"] for step in steps] == [moved["undo_step"]]
    undone = caller.post(f"undo-steps/{moved['undo_step']}/undo/", {})
    assert (undone.status_code, undone.json()["undone_by"]) == (200, f"script ({technician.name})")
    assert orders(three[0]) == [100_001]
    assert caller.post(f"undo-steps/{moved['undo_step']}/undo/", {}).status_code == 409


def test_a_new_policy_on_top_is_created_once_the_renumbering_was_seen(
    tom: Client, finance: ComputerGroup, tools: Application, three: list[Policy]
) -> None:
    body = {
        "scope": f"group:{finance.id}", "applications": [str(tools.id)], "action": "permit", "enabled": "on",
        "place": "top", "name": "grp-new",
    }  # fmt: skip
    asked = tom.post(f"{LIST}new/", body)
    assert (asked.status_code, "No number is free at that place" in asked.content.decode()) == (422, True)
    assert not Policy.rows.filter(name="grp-new").exists()
    made = tom.post(f"{LIST}new/", {**body, "agreed": asked.context["asked"].fingerprint})
    assert made.status_code == 302
    assert orders(Policy.rows.get(name="grp-new"), *three) == [100_001, 100_101, 100_201, 100_301]
    step = UndoStep.objects.within(SYSTEM).get(kind="policy.created")
    tom.post(f"/o/able-moose-accounting/undo/{step.id}/")
    assert orders(*three) == [100_001, 100_101, 100_201]
    assert not Policy.rows.filter(name="grp-new").exists()
