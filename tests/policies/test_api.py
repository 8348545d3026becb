"""Applications, policies, settings, modes and evaluate over REST, as a script with a token uses them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policies import listing, placing
from policies.listing import PolicyTerms
from policies.models import Application, FileRule, Policy
from policies.ties import ties
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM


@pytest.fixture
def tom(technician: User, fin_01: Computer) -> Caller:
    return Caller(technician)


@pytest.fixture
def tools(able_moose: Organization) -> Application:
    return an_application(SYSTEM, able_moose, "Acme Tools")


def new_policy(finance: ComputerGroup, tools: Application, **fields: Any) -> dict[str, Any]:
    return {
        "scope": {"level": "group", "target": str(finance.id)}, "applications": [str(tools.id)], "action": "permit",
        **fields,
    }  # fmt: skip


def test_an_application_is_made_with_its_rules_and_changed_rule_by_rule(tom: Caller, able_moose: Organization) -> None:
    made = tom.post(
        "applications/",
        {"organization": able_moose.slug, "name": "Acme", "os": "windows", "rules": [{"path": r"c:\acme\*"}]},
    )
    assert made.status_code == 201, made.json()
    base = made["Location"]
    assert [rule["path"] for rule in made.json()["rules"]] == [r"c:\acme\*"]
    added = tom.post(f"{base}rules/", {"hash": "AB" * 32, "note": "the installer"})
    assert (added.status_code, added.json()["hash"], added.json()["position"]) == (201, "ab" * 32, 2)
    changed = tom.patch(added["Location"], {"created_by": r"c:\rmm\agent.exe"})
    assert changed.json()["hash"] == "ab" * 32
    assert changed.json()["created_by"] == r"c:\rmm\agent.exe"
    assert tom.delete(added["Location"]).status_code == 204
    assert len(tom.get(f"{base}rules/").json()["results"]) == 1
    assert tom.patch(base, {"name": "Acme Suite"}).json()["name"] == "Acme Suite"
    assert tom.delete(base).status_code == 204
    assert not Application.objects.within(SYSTEM).filter(name__startswith="Acme").exists()


@pytest.mark.parametrize(
    ("rule", "pointer", "says"),
    [
        ({}, "/rules/0", "at least one condition"),
        ({"path": "*"}, "/rules/0/path", "matches every file"),
        ({"path": r"regex:c:\\acme\\(?=patch).*"}, "/rules/0/path", "Position"),
        ({"hash": "abc"}, "/rules/0/hash", "64 hex digits"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_at_its_place(
    tom: Caller, able_moose: Organization, rule: dict[str, str], pointer: str, says: str
) -> None:
    answer = tom.post("applications/", {"organization": able_moose.slug, "name": "A", "os": "windows", "rules": [rule]})
    assert answer.status_code == 422
    fault = answer.json()["errors"][0]
    assert (fault["pointer"], says in fault["detail"]) == (pointer, True)


def test_a_policy_is_made_read_changed_and_deleted(tom: Caller, finance: ComputerGroup, tools: Application) -> None:
    made = tom.post("policies/", new_policy(finance, tools, ticket="T-1"))
    assert made.status_code == 201, made.json()
    policy = made.json()
    assert (policy["name"], policy["order"]) == ("grp-finance-acme-tools-permit", 100_001)
    assert (policy["scope"]["target_name"], policy["application_names"]) == ("Finance", ["Acme Tools"])
    changed = tom.patch(made["Location"], {"enabled": False, "name": "off"}, **{"If-Match": made["ETag"]})
    assert (changed.json()["enabled"], changed.json()["ticket"]) == (False, "T-1")
    assert "<scope>" in changed.json()["name_warning"]
    stale = tom.patch(made["Location"], {"enabled": True}, **{"If-Match": made["ETag"]})
    assert stale.status_code == 412
    assert tom.delete(made["Location"]).status_code == 204
    assert tom.get(made["Location"]).status_code == 404


def test_a_dry_run_of_a_policy_keeps_nothing(tom: Caller, finance: ComputerGroup, tools: Application) -> None:
    tried = tom.post("policies/?dry_run=true", new_policy(finance, tools))
    assert (tried.status_code, tried.json()["order"]) == (201, 100_001)
    assert not Policy.objects.within(SYSTEM).filter(is_default=False).exists()


def test_policies_are_listed_in_the_order_computers_evaluate_them(
    tom: Caller, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer,
    tools: Application,
) -> None:  # fmt: skip
    sales = factories.group(able_moose, "Sales")
    miners = an_application(SYSTEM, northwind, "Miners")
    a_policy(SYSTEM, at_group(finance), tools, name="grp-permit")
    a_policy(SYSTEM, at_organization(able_moose), tools, name="org-permit")
    a_policy(SYSTEM, at_group(sales), tools, name="grp-sales")
    a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name="glb-deny", action="deny")
    a_policy(SYSTEM, at_group(finance), tools, name="grp-off", enabled=False)

    def names(query: str) -> list[str]:
        return [policy["name"] for policy in tom.get(f"policies/?{query}").json()["results"]]

    assert names(f"effective_for={fin_01.id}") == ["glb-deny", "grp-permit", "org-permit", "Default - (Finance)"]
    assert names(f"effective_in={finance.id}&include_disabled=true")[-2:] == ["grp-off", "Default - (Finance)"]
    assert names(f"organization={able_moose.slug}&q=acme") == ["grp-permit", "org-permit", "grp-sales"]
    assert names("scope=global") == ["glb-deny"]
    first = tom.get(f"policies/?organization={able_moose.slug}&page_size=2").json()
    second = tom.get(first["next"].replace("http://testserver", "")).json()
    listed = [policy["name"] for policy in first["results"] + second["results"]]
    assert listed == ["glb-deny", "grp-permit", "org-permit", "grp-sales"]


@pytest.mark.parametrize(
    ("move", "order"),
    [({"place": "top"}, 100_001), ({"order": 100_050}, 100_050), ({"order": 50}, None), ({}, None)],
)
def test_moving_by_place_and_by_number(
    tom: Caller, finance: ComputerGroup, tools: Application, move: dict[str, Any], order: int | None
) -> None:
    a_policy(SYSTEM, at_group(finance), tools)
    second = a_policy(SYSTEM, at_group(finance), tools)
    answer = tom.post(f"policies/{second.id}/move/", move)
    assert answer.status_code == (422 if order is None else 200)
    if order is not None:
        assert answer.json()["order"] == order


def test_moving_before_and_after_another(tom: Caller, finance: ComputerGroup, tools: Application) -> None:
    first, second, third = (a_policy(SYSTEM, at_group(finance), tools) for _ in range(3))
    assert tom.post(f"policies/{third.id}/move/", {"before": str(second.id)}).json()["order"] == 100_051
    assert tom.post(f"policies/{first.id}/move/", {"after": str(second.id)}).json()["order"] == 100_201
    assert tom.post(f"policies/{first.id}/move/", {"after": str(first.id)}).status_code == 422


def test_evaluate_answers_with_the_trace(
    tom: Caller, finance: ComputerGroup, fin_01: Computer, tools: Application
) -> None:
    facts = {"path": r"C:\Program Files\Acme Tools\run.exe"}
    denied = tom.post("evaluate/", {"computer": str(fin_01.id), "facts": facts})
    assert denied.status_code == 200, denied.json()
    assert (denied.json()["effect"], denied.json()["policy_name"]) == ("denied", "Default - (Finance)")
    draft = new_policy(finance, tools)
    permitted = tom.post("evaluate/", {"group": "finance", "facts": facts, "draft": draft}).json()
    assert (permitted["effect"], permitted["trace"][0]["outcome"]) == ("permitted", "won")
    assert tom.post("evaluate/", {"facts": facts}).status_code == 422
    assert tom.post("evaluate/", {"computer": str(fin_01.id), "facts": {"pth": "x"}}).status_code == 422


def test_a_mode_is_set_read_and_ended(tom: Caller, finance: ComputerGroup, fin_01: Computer) -> None:
    ends_at = (clock.now() + timedelta(hours=3)).isoformat()
    for path in (f"computers/{fin_01.id}/mode/", "computer-groups/finance/mode/"):
        body = {"mode": "learning", "ends_at": ends_at, "reason": "New scanner", "ticket": "T-2"}
        assert tom.call("PUT", path, body).json()["mode"] == "learning"
        state = tom.get(path).json()
        assert "Tom Technician" in state["started_by"]
        assert (state["reason"], state["ticket"]) == ("New scanner", "T-2")
        assert tom.call("PUT", path, {"mode": "learning"}).status_code == 422
        assert tom.delete(path).status_code == 204
        assert tom.get(path).json()["mode"] == "secured"


def test_agent_settings_are_an_ordered_list(tom: Caller, able_moose: Organization, finance: ComputerGroup) -> None:
    name = "prioritize_builtin_applications"
    whole = {"scope": {"level": "organization", "target": able_moose.slug}, "name": name, "value": False}
    made = tom.post("agent-settings/", whole)
    assert (made.status_code, made.json()["order"]) == (201, 100_001)
    assert tom.post("agent-settings/", whole).status_code == 422
    group = {"scope": {"level": "group", "target": str(finance.id)}, "name": name, "value": True, "place": "top"}
    assert tom.post("agent-settings/", group).json()["order"] == 100_001
    assert [s["value"] for s in tom.get("agent-settings/").json()["results"]] == [True, False]
    assert tom.patch(made["Location"], {"value": True}).json()["value"] is True
    assert tom.post(f"{made['Location']}move/", {"place": "top"}).json()["order"] == 100_001
    assert tom.delete(made["Location"]).status_code == 204


def test_pending_changes_say_who_changed_what_where(tom: Caller, finance: ComputerGroup, tools: Application) -> None:
    tom.post("policies/", new_policy(finance, tools))
    change = tom.get("pending-changes/?organization=able-moose-accounting").json()["results"][0]
    assert change["scope"] == {"level": "group", "target": str(finance.id)}
    assert (change["verb"], change["summary"]) == ("policy.created", "grp-finance-acme-tools-permit created")
    assert "Tom Technician" in change["actor_name"]


def test_a_stranger_finds_none_of_it(
    tom: Caller, stranger: User, finance: ComputerGroup, fin_01: Computer, tools: Application
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools)
    rule = FileRule.objects.within(SYSTEM).get(application=tools)
    sam = Caller(stranger)
    for path in (
        f"policies/{policy.id}/", f"applications/{tools.id}/", f"applications/{tools.id}/rules/",
        f"applications/{tools.id}/rules/{rule.id}/", f"computers/{fin_01.id}/mode/",
        f"computer-groups/{finance.id}/mode/", f"policies/?effective_for={fin_01.id}",
    ):  # fmt: skip
        assert sam.get(path).status_code == 404, path
    assert sam.post(f"policies/{policy.id}/move/", {"place": "top"}).status_code == 404
    assert sam.patch(f"policies/{policy.id}/", {"enabled": False}).status_code == 404
    assert sam.post(f"applications/{tools.id}/rules/", {"path": r"c:\x\*"}).status_code == 404
    assert sam.post("policies/", new_policy(finance, tools)).status_code == 404
    assert sam.post("evaluate/", {"computer": str(fin_01.id), "facts": {}}).status_code == 404
    for path in ("policies/", "applications/?kind=custom", "pending-changes/", "agent-settings/"):
        assert sam.get(path).json()["results"] == [], path


def test_a_reader_reads_and_is_told_which_capability_is_missing(
    tom: Caller, reader: User, finance: ComputerGroup, tools: Application
) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools)
    rita = Caller(reader)
    assert rita.get(f"policies/{policy.id}/").status_code == 200
    refused = rita.patch(f"policies/{policy.id}/", {"enabled": False})
    assert (refused.status_code, refused.json()["capability"]) == (403, "policy:write")


def test_the_lists_take_as_many_statements_for_fifty_rows_as_for_one(
    tom: Caller, able_moose: Organization, finance: ComputerGroup, django_assert_max_num_queries: Any
) -> None:
    with reaching(SYSTEM):
        for number in range(30):
            tools = an_application(SYSTEM, able_moose, f"Tool {number}")
            a_policy(SYSTEM, at_group(finance), tools)
    with django_assert_max_num_queries(40):
        assert len(tom.get("policies/").json()["results"]) == 31
    with django_assert_max_num_queries(30):
        assert len(tom.get("applications/").json()["results"]) == 30


def test_an_application_in_use_is_not_deleted(tom: Caller, finance: ComputerGroup, tools: Application) -> None:
    policy = a_policy(SYSTEM, at_group(finance), tools)
    refused = tom.delete(f"applications/{tools.id}/")
    assert (refused.status_code, policy.name in refused.json()["detail"]) == (422, True)
    twin = tom.post(f"applications/{tools.id}/rules/", {"path": r"c:\program files\acme tools\*"})
    assert twin.status_code == 409


def test_equal_orders_are_marked_only_where_a_computer_may_obey_both(
    everybody: None, northwind: Organization, able_moose: Organization, finance: ComputerGroup,
    brisk_otter: Organization, tools: Application,
) -> None:  # fmt: skip
    sales = factories.group(able_moose, "Sales")
    miners = an_application(SYSTEM, northwind, "Miners")
    otter = an_application(SYSTEM, brisk_otter, "Otter")
    a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name="glb", action="deny")
    a_policy(SYSTEM, at_organization(able_moose), tools, name="org", place=placing.at(100_001))
    a_policy(SYSTEM, at_group(finance), tools, name="grp-finance", place=placing.at(100_101))
    a_policy(SYSTEM, at_group(sales), tools, name="grp-sales", place=placing.at(100_101))
    a_policy(SYSTEM, at_organization(brisk_otter), otter, name="otter", place=placing.at(100_101))
    shown = list(listing.policies_listed(SYSTEM, PolicyTerms()))
    marked = ties(shown, shown)
    assert {policy.name: marked[policy.id] for policy in shown if policy.id in marked} == {
        "glb": "same order as the next; the deny goes first",
    }
