"""Organizations, groups, computers and the System Audit over REST."""

from __future__ import annotations

import pytest

from portal.accounts.models import User
from portal.tenants.finding import find_computers, find_groups
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.portal.api.caller import Caller


@pytest.fixture
def finance(able_moose: Organization) -> ComputerGroup:
    return factories.group(able_moose, "Finance")


@pytest.fixture
def laptop(finance: ComputerGroup) -> Computer:
    return factories.computer(finance, "FIN-LT-07")


def test_an_organization_is_made_changed_and_deleted(owner: User) -> None:
    caller = Caller(owner)
    made = caller.post(
        "organizations/", {"name": "Able  Moose", "parent": "northwind-it", "time_zone": "Europe/Vienna"}
    )
    assert (made.json()["name"], made.json()["slug"], made.json()["parent_name"]) == (
        "Able Moose",
        "able-moose",
        "Northwind IT",
    )
    path = f"organizations/{made.json()['id']}/"
    assert caller.patch(path, {"slug": "moose", "color": "moss"}).json()["slug"] == "moose"
    assert caller.get("organizations/moose/").json()["color"] == "moss"
    assert caller.patch(path, {"parent": "northwind-it"}).status_code == 422
    assert caller.delete(path).status_code == 204
    assert caller.get(path).status_code == 404
    verbs = [e.verb for e in Entry.rows.filter(organization_id=made.json()["id"]).order_by("sequence")]
    assert verbs == ["organization.created", "organization.changed", "organization.deleted"]


def test_a_name_is_taken_once_among_siblings_and_a_slug_everywhere(owner: User, able_moose: Organization) -> None:
    caller = Caller(owner)
    assert caller.post("organizations/", {"name": "able moose ACCOUNTING", "parent": "northwind-it"}).status_code == 409
    body = {"name": "Other", "parent": "northwind-it", "slug": "able-moose-accounting"}
    assert caller.post("organizations/", body).status_code == 409
    beneath = caller.post("organizations/", {"name": able_moose.name, "parent": able_moose.slug})
    assert beneath.json()["slug"] == "able-moose-accounting-2"


def test_the_provider_and_what_is_not_empty_stay(owner: User, finance: ComputerGroup) -> None:
    caller = Caller(owner)
    assert caller.delete("organizations/northwind-it/").status_code == 422
    refused = caller.delete("organizations/able-moose-accounting/")
    assert "1 computer groups" in refused.json()["detail"]


def test_a_technician_makes_no_organization(technician: User) -> None:
    refused = Caller(technician).post("organizations/", {"name": "X", "parent": "able-moose-accounting"})
    assert (refused.status_code, refused.json()["capability"]) == (403, "organization:write")


def test_a_group_has_what_was_asked_for_and_its_default_deny(technician: User, able_moose: Organization) -> None:
    caller = Caller(technician)
    body = {"organization": able_moose.slug, "name": "Servers", "os": "linux", "initial_learning_days": 7}
    made = caller.post("computer-groups/", body).json()
    assert (made["slug"], made["os"], made["initial_learning_days"], made["is_global"]) == (
        "servers",
        "linux",
        7,
        False,
    )
    path = f"computer-groups/{made['id']}/"
    assert caller.patch(path, {"os": "windows"}).status_code == 422
    assert caller.patch(path, {"name": "Linux servers"}).json()["name"] == "Linux servers"
    listed = caller.get("policies/?include_disabled=true")
    assert "Default - (Linux servers)" in [p["name"] for p in listed.json()["results"]]
    assert caller.delete(path).status_code == 204


def test_a_global_group_needs_the_right_to_act_globally(
    technician: User, owner: User, able_moose: Organization
) -> None:
    body = {"organization": able_moose.slug, "name": "All", "os": "windows", "is_global": True}
    assert Caller(technician).post("computer-groups/", body).status_code == 403
    made = Caller(owner).post("computer-groups/", {**body, "name_prefix": "Work"})
    assert made.json()["name_prefix"] == "Work"
    wrong = {**body, "name": "Own", "is_global": False, "name_prefix": "Work"}
    assert Caller(owner).post("computer-groups/", wrong).json()["errors"][0]["pointer"] == "/name_prefix"


def test_a_global_group_is_read_from_below_and_changed_from_above(
    technician: User, northwind: Organization, able_moose: Organization
) -> None:
    above = factories.group(northwind, "Every workstation", is_global=True)
    hidden = factories.group(northwind, "Office")
    caller = Caller(technician)
    assert [g["name"] for g in caller.get("computer-groups/").json()["results"]] == ["Every workstation"]
    assert caller.patch(f"computer-groups/{above.id}/", {"name": "Mine"}).status_code == 404
    assert caller.get(f"computer-groups/{hidden.id}/").status_code == 404


def test_a_slug_that_several_groups_have_must_be_told_apart(
    owner: User, finance: ComputerGroup, brisk_otter: Organization
) -> None:
    assert Caller(owner).get("computer-groups/finance/").json()["id"] == str(finance.id)
    factories.group(brisk_otter, "Finance")
    answer = Caller(owner).get("computer-groups/finance/")
    assert (answer.status_code, answer.json()["code"]) == (422, "ambiguous")


def test_computers_are_filtered_and_a_global_group_holds_by_rule(
    owner: User, laptop: Computer, northwind: Organization, brisk_otter: Organization
) -> None:
    factories.computer(factories.group(brisk_otter, "Front desk"), "DESK-01")
    factories.computer(factories.group(brisk_otter, "Servers", os="linux"), "srv-01", mode="learning")
    everything = factories.group(northwind, "Every Windows", is_global=True)
    finances = factories.group(northwind, "Every finance", is_global=True, name_prefix="fin")
    caller = Caller(owner)

    def names(query: str) -> list[str]:
        return [c["name"] for c in caller.get(f"computers/?{query}").json()["results"]]

    assert names("") == ["DESK-01", "FIN-LT-07", "srv-01"]
    assert names("organization=brisk-otter-dental") == ["DESK-01", "srv-01"]
    assert names("os=linux") == names("mode=learning") == ["srv-01"]
    assert names(f"group={everything.id}") == ["DESK-01", "FIN-LT-07"]
    assert names(f"group={finances.id}") == ["FIN-LT-07"]
    assert names("silent_days=1&q=fin") == ["FIN-LT-07"]
    assert caller.get("computers/?group=no-such").status_code == 404


def test_a_computer_moves_to_a_group_of_its_own_organization_and_system(
    technician: User, laptop: Computer, able_moose: Organization, brisk_otter: Organization
) -> None:
    factories.group(able_moose, "Servers", os="linux")
    sales = factories.group(able_moose, "Sales")
    foreign = factories.group(brisk_otter, "Front desk")
    caller = Caller(technician)
    path = f"computers/{laptop.id}/"
    assert caller.patch(path, {"group": "servers"}).json()["errors"][0]["pointer"] == "/group"
    assert caller.patch(path, {"group": str(foreign.id)}).status_code == 404
    assert caller.patch(path, {"name": "other"}).status_code == 422
    moved = caller.patch(path, {"group": "sales"}).json()
    assert (moved["group"], moved["group_name"], moved["in_sync"]) == (str(sales.id), "Sales", False)


def test_a_forgotten_computer_is_gone(technician: User, reader: User, laptop: Computer) -> None:
    assert Caller(reader).delete(f"computers/{laptop.id}/").status_code == 403
    assert Caller(technician).delete(f"computers/{laptop.id}/").status_code == 204
    assert Caller(technician).get(f"computers/{laptop.id}/").status_code == 404
    assert Entry.rows.get(verb="computer.deleted").before["name"] == "FIN-LT-07"


def test_the_system_audit_is_read_filtered_and_verified(
    owner: User, customer_admin: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    Caller(owner).post("computer-groups/", {"organization": brisk_otter.slug, "name": "Front desk", "os": "windows"})
    made = Caller(owner).post("computer-groups/", {"organization": able_moose.slug, "name": "Sales", "os": "windows"})
    seen = Caller(customer_admin).get("system-audit/?verb=group.").json()["results"]
    assert [(e["verb"], e["target"]) for e in seen] == [("group.created", made.json()["id"])]
    assert Caller(owner).get("system-audit/?q=front+desk&verb=group.created&count=true").json()["count"] == 1
    assert Caller(owner).get("system-audit/?since=yesterday").status_code == 422
    verified = Caller(customer_admin).get("system-audit/verify/").json()
    assert verified["whole"] is True
    assert [v["organization_name"] for v in verified["results"]] == ["Able Moose Accounting"]


def test_the_palette_finds_computers_and_groups_in_reach_only(
    technician: User, laptop: Computer, brisk_otter: Organization
) -> None:
    factories.computer(factories.group(brisk_otter, "Finland"), "FIN-DESK")
    reach = factories.reach(technician)
    found = [*find_computers(reach, None, "fin"), *find_groups(reach, None, "fin")]
    assert [hit.label for hit in found] == ["FIN-LT-07", "Finance"]
    assert found[0].href == f"/o/able-moose-accounting/computers/{laptop.id}/"
