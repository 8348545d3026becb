"""Many policies at once: all or none, one entry each, one step back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from policies import authoring, bulk, changes, undoing
from policies.models import Application, Change, Policy, Status
from portal.accounts.models import User
from portal.common.errors import Conflict, Invalid
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, globally
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM
BULK = "/o/able-moose-accounting/policies/bulk/"


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


@pytest.fixture
def three(able_moose: Organization, finance: ComputerGroup) -> list[Policy]:
    tools = an_application(SYSTEM, able_moose, "Acme Tools")
    return [a_policy(SYSTEM, at_group(finance), tools, name=f"grp-{letter}") for letter in "abc"]


def post(client: Client, policies: list[Policy], **body: Any) -> Any:
    headers = {"HX-Request": "true", "HX-Target": "policy-table"}
    return client.post(BULK, {"ids": [str(p.id) for p in policies], **body}, headers=headers)


def enabled(policies: list[Policy]) -> list[bool]:
    return [Policy.rows.get(id=policy.id).enabled for policy in policies]


def columns(policies: list[Policy]) -> list[dict[str, Any]]:
    names = [f.attname for f in Policy._meta.concrete_fields if f.attname not in ("changed_at", "changed_by")]
    return list(Policy.rows.filter(id__in=[p.id for p in policies]).order_by("id").values(*names))


def test_disabling_tells_each_one_and_one_step_enables_what_was_enabled(tom: Client, three: list[Policy]) -> None:
    authoring.set_enabled(SYSTEM, three[1].id, enabled=False)
    done = post(tom, three, do="disable")
    assert enabled(three) == [False] * 3
    told = Entry.objects.within(SYSTEM).filter(verb="policy.disabled", actor_name="Tom Technician")
    assert {entry.target_name for entry in told} == {"grp-a", "grp-c"}
    offered = json.loads(done["HX-Trigger"])["undo-offered"]
    assert offered["summary"] == "2 policies disabled"
    tom.post(offered["href"])
    assert enabled(three) == [True, False, True]


def test_one_that_cannot_be_changed_keeps_all_from_being_changed_and_says_why(
    tom: Client, northwind: Organization, finance: ComputerGroup, three: list[Policy]
) -> None:
    miners = an_application(SYSTEM, northwind, "Miners")
    above = a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name="glb-miners")
    default = Policy.rows.get(target_group=finance, is_default=True)
    answer = post(tom, [*three, above, default], do="disable")
    html = answer.content.decode()
    assert (answer.status_code, answer["HX-Retarget"]) == (422, "#dialog")
    assert "Nothing was changed. 2 of 5 cannot be" in html
    assert "It comes from Northwind IT" in html
    assert "cannot be disabled" in html
    assert enabled(three) == [True] * 3
    assert [str(one) for one in answer.context["rest"]] == [str(p.id) for p in three]


def test_deleting_asks_first_and_undoing_makes_them_again_as_they_were(
    tom: Client, finance: ComputerGroup, three: list[Policy]
) -> None:
    was = columns(three)
    assert "Delete 3 policies?" in post(tom, three, do="delete").content.decode()
    assert len(columns(three)) == 3
    done = post(tom, three, do="delete", sure="1")
    assert columns(three) == []
    tom.post(json.loads(done["HX-Trigger"])["undo-offered"]["href"])
    assert columns(three) == was
    assert [a.name for a in Policy.rows.get(id=three[0].id).named_applications] == ["Acme Tools"]
    pending = changes.pending(SYSTEM, [finance.organization_id])
    assert pending.filter(verb="policy.restored").count() == 3


def test_deleted_policies_do_not_come_back_onto_a_number_that_is_taken(
    finance: ComputerGroup, three: list[Policy]
) -> None:
    done = bulk.delete_policies(SYSTEM, [three[0].id], organization_id=three[0].organization_id)
    tools = Application.rows.get(name="Acme Tools")
    other = a_policy(SYSTEM, at_group(finance), tools, name="grp-new")
    Policy.rows.filter(id=other.id).update(order=three[0].order)
    assert done.step is not None
    with pytest.raises(Conflict, match="grp-new has the order 100,001 of grp-a"):
        undoing.undo(SYSTEM, done.step.id)
    assert not Policy.rows.filter(id=three[0].id).exists()


def test_a_status_is_asked_for_and_given_and_taken_back(tom: Client, three: list[Policy]) -> None:
    assert 'name="status"' in post(tom, three, do="status").content.decode()
    done = post(tom, three, do="status", sure="1", status="monitor_only")
    assert {row["status"] for row in columns(three)} == {Status.MONITOR_ONLY}
    tom.post(json.loads(done["HX-Trigger"])["undo-offered"]["href"])
    assert {row["status"] for row in columns(three)} == {Status.INHERIT}


def test_copying_leads_to_the_copy_screen_with_the_ticked_ones(tom: Client, three: list[Policy]) -> None:
    answer = post(tom, three[:2], do="copy")
    assert answer["HX-Redirect"].endswith(f"/policies/copy/?ids={three[0].id},{three[1].id}")


def test_over_rest_it_is_all_or_none_and_a_dry_run_keeps_nothing(technician: User, three: list[Policy]) -> None:
    caller = Caller(technician)
    body = {"organization": "able-moose-accounting", "policies": [str(p.id) for p in three], "do": "disable"}
    tried = caller.post("policies/bulk/?dry_run=true", body)
    assert (len(tried.json()["changed"]), enabled(three)) == (3, [True] * 3)
    assert not Change.rows.filter(verb="policy.disabled").exists()
    done = caller.post("policies/bulk/", body).json()
    assert enabled(three) == [False] * 3
    assert caller.post(f"undo-steps/{done['undo_step']}/undo/", {}).status_code == 200
    assert enabled(three) == [True] * 3
    default = Policy.rows.get(is_default=True, target_group=three[0].target_group)
    refused = caller.post("policies/bulk/", {**body, "policies": [*body["policies"], str(default.id)]})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_all")
    assert "Default - (Finance)" in refused.json()["errors"][0]["detail"]
    assert enabled(three) == [True] * 3
    assert caller.post("policies/bulk/", {**body, "do": "set_status"}).status_code == 422


def test_a_reader_changes_nothing(reader: User, three: list[Policy], as_user: Callable[[User], Client]) -> None:
    rita = as_user(reader)
    assert post(rita, three, do="disable").status_code == 403
    caller = Caller(reader)
    body = {"organization": "able-moose-accounting", "policies": [str(three[0].id)], "do": "disable"}
    assert caller.post("policies/bulk/", body).status_code == 403
    assert enabled(three) == [True] * 3


def test_nothing_chosen_is_told(three: list[Policy]) -> None:
    with pytest.raises(Invalid, match="Choose 1 to 500"):
        bulk.enable_policies(SYSTEM, [], organization_id=three[0].organization_id)
