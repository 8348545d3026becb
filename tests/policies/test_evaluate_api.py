"""Evaluate and effective settings over REST."""

from __future__ import annotations

import pytest

from policies import settings
from policies.scopes import Scope
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization
from tests.portal.api.caller import Caller

pytestmark = pytest.mark.django_db

FACTS = {"path": r"C:\Program Files\Acme Tools\tool.exe", "sha256": "ab" * 32, "certificate": "CN=Acme Ltd"}


@pytest.fixture
def tom(technician: User, fin_01: Computer, brisk_otter: Organization) -> Caller:
    return Caller(technician)


def test_what_is_stopped_comes_with_the_smallest_change(tom: Caller, fin_01: Computer) -> None:
    told = tom.post("evaluate/", {"computer": str(fin_01.id), "facts": FACTS}).json()
    assert told["effect"] == "denied"
    assert told["smallest_change"]["code"] == "create_permit"
    assert told["smallest_change"]["rule"]["hash"] == "ab" * 32
    assert [change["code"] for change in told["other_changes"]] == ["create_permit"]
    assert told["missing"] == ["created-by program", "launching program", "user"]
    assert (told["near_misses"], told["who_else"], told["bundle_version"]) == ([], None, None)


def test_what_is_permitted_needs_no_change(tom: Caller, able_moose: Organization, finance: ComputerGroup) -> None:
    with reaching(factories.SYSTEM) as system:
        a_policy(system, at_group(finance), an_application(system, able_moose, "Acme Tools"))
    told = tom.post("evaluate/?dry_run=true", {"group": str(finance.id), "facts": FACTS}).json()
    assert (told["effect"], told["smallest_change"], told["other_changes"]) == ("permitted", None, [])


def test_who_else_is_told_when_asked(tom: Caller, fin_01: Computer, finance: ComputerGroup) -> None:
    factories.computer(finance, "fin-02")
    told = tom.post("evaluate/", {"computer": str(fin_01.id), "facts": FACTS, "who_else": True}).json()["who_else"]
    assert told["total"] == {"permitted": 0, "ringfenced": 0, "would_deny": 0, "denied": 2}
    (of,) = told["organizations"]
    assert of["organization_name"] == "Able Moose Accounting"
    assert [(group["name"], group["because"]) for group in of["groups"]] == [("Finance", ["Default - (Finance)"])]


def test_what_is_deployed_is_asked_of_one_computer_that_runs_something(
    tom: Caller, fin_01: Computer, finance: ComputerGroup
) -> None:
    asked = {"facts": FACTS, "policy_set": "deployed"}
    assert tom.post("evaluate/", {**asked, "group": str(finance.id)}).status_code == 422
    refused = tom.post("evaluate/", {**asked, "computer": str(fin_01.id)})
    assert refused.status_code == 422
    assert "acknowledged no bundle" in refused.json()["detail"]


def test_effective_settings_name_their_origin(
    tom: Caller, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    with reaching(factories.SYSTEM) as system:
        name = "prioritize_builtin_applications"
        settings.create_setting(system, scope=at_organization(able_moose), name=name, value=True)
        own = Scope(able_moose.id, "computer", fin_01.id)  # type: ignore[arg-type]
        settings.create_setting(system, scope=own, name=name, value=False)
        settings.create_setting(system, scope=at_group(finance), name="checkin_seconds", value=30)
    found = {one["name"]: one for one in tom.get(f"agent-settings/effective/?computer={fin_01.id}").json()["settings"]}
    builtin = found["prioritize_builtin_applications"]
    assert (builtin["value"], builtin["origin"]["scope"]["level"]) == (True, "organization")
    assert ([lost["value"] for lost in builtin["beaten"]], builtin["why"]) == ([False], "the lower order wins")
    assert (found["checkin_seconds"]["value"], found["log_permits"]["origin"]) == (30, None)
    whole = tom.get(f"agent-settings/effective/?organization={able_moose.slug}").json()["settings"]
    assert [one["value"] for one in whole] == [True, 60, True]
    assert tom.get("agent-settings/effective/").status_code == 422


def test_settings_are_moved_beside_each_other(tom: Caller, able_moose: Organization, finance: ComputerGroup) -> None:
    name = "log_permits"
    first = tom.post(
        "agent-settings/", {"scope": {"level": "group", "target": str(finance.id)}, "name": name, "value": True}
    )
    whole = {"level": "organization", "target": able_moose.slug}
    second = tom.post("agent-settings/", {"scope": whole, "name": name, "value": False})
    moved = tom.post(f"{second['Location']}move/", {"before": first.json()["id"]})
    assert moved.json()["order"] < first.json()["order"] or moved.json()["order"] == 100_001
    assert [row["value"] for row in tom.get("agent-settings/").json()["results"]] == [False, True]
    assert tom.post(f"{second['Location']}move/", {"before": first.json()["id"], "place": "top"}).status_code == 422
    assert tom.post("agent-settings/", {"scope": whole, "name": "checkin_seconds", "value": 3}).status_code == 422
    rehearsed = {"scope": whole, "name": "checkin_seconds", "value": 30}
    assert tom.post("agent-settings/?dry_run=true", rehearsed).json()["value"] == 30
    assert len(tom.get("agent-settings/").json()["results"]) == 2


def test_a_stranger_learns_nothing(tom: Caller, stranger: User, fin_01: Computer, finance: ComputerGroup) -> None:
    sam = Caller(stranger)
    assert sam.get(f"agent-settings/effective/?computer={fin_01.id}").status_code == 404
    assert sam.get(f"agent-settings/effective/?group={finance.id}").status_code == 404
    assert sam.post("evaluate/", {"computer": str(fin_01.id), "facts": FACTS, "who_else": True}).status_code == 404
