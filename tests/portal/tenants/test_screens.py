"""Screens of organizations, groups, computers and the System Audit, as people of every kind see them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.accounts.models import Role, User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from tests import factories
from tests.portal.api.caller import secret_of

SignIn = Callable[[User], Client]
HOME = "/o/able-moose-accounting"


@pytest.fixture
def finance(able_moose: Organization) -> ComputerGroup:
    return factories.group(able_moose, "Finance")


@pytest.fixture
def laptop(finance: ComputerGroup) -> Computer:
    return factories.computer(finance, "FIN-LT-07", last_seen_at=clock.now(), last_user="anna")


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_the_owner_creates_a_customer_and_is_led_to_it(owner: User, as_user: SignIn) -> None:
    browser = as_user(owner)
    root = Organization.rows.get(parent=None)
    form = {
        "name": "Able Moose Accounting",
        "parent": str(root.id),
        "time_zone": "Europe/Vienna",
        "slug": "",
        "color": "",
    }
    made = browser.post("/all/organizations/new/", form)
    assert made["Location"] == "/o/able-moose-accounting/"
    assert "Able Moose Accounting" in text(browser, "/all/organizations/")
    twice = browser.post("/all/organizations/new/", form)
    assert twice.status_code == 422
    assert "There is an organization called Able Moose Accounting there already" in twice.content.decode()


def test_an_organization_is_changed_and_deleted_only_when_empty(
    owner: User, finance: ComputerGroup, as_user: SignIn
) -> None:
    browser = as_user(owner)
    form = {"name": "Able Moose", "slug": "able-moose", "time_zone": "UTC", "color": "moss"}
    assert browser.post(f"{HOME}/edit/", form)["Location"] == "/o/able-moose/edit/"
    refused = browser.post("/o/able-moose/delete/")
    assert refused.status_code == 422
    assert "1 computer groups" in refused.content.decode()
    assert Organization.rows.filter(slug="able-moose").exists()


def test_a_technician_creates_renames_and_deletes_a_group(technician: User, as_user: SignIn) -> None:
    browser = as_user(technician)
    made = browser.post(f"{HOME}/groups/new/", {"name": "Sales", "os": "windows", "initial_learning_days": "21"})
    group = ComputerGroup.rows.get(name="Sales")
    assert made["Location"] == f"{HOME}/groups/{group.id}/"
    assert "No computer yet" in text(browser, made["Location"])
    change = {"name": "Sales EMEA", "slug": "sales", "initial_learning_days": "7"}
    assert browser.post(f"{HOME}/groups/{group.id}/edit/", change).status_code == 302
    assert "Sales EMEA" in text(browser, f"{HOME}/groups/")
    assert browser.post(f"{HOME}/groups/{group.id}/delete/").status_code == 302
    assert not ComputerGroup.rows.filter(id=group.id).exists()


def test_a_technician_without_the_right_makes_no_global_group(technician: User, owner: User, as_user: SignIn) -> None:
    form = {"name": "All", "os": "windows", "initial_learning_days": "0", "is_global": "on", "name_prefix": "Work"}
    as_user(technician).post(f"{HOME}/groups/new/", form)
    assert not ComputerGroup.rows.filter(is_global=True).exists()
    as_user(owner).post("/o/northwind-it/groups/new/", form)
    assert ComputerGroup.rows.get(is_global=True).name_prefix == "Work"


def test_a_global_group_from_above_is_shown_and_not_opened(
    technician: User, northwind: Organization, as_user: SignIn
) -> None:
    above = factories.group(northwind, "Every workstation", is_global=True)
    browser = as_user(technician)
    assert "Every workstation" in text(browser, f"{HOME}/groups/")
    assert browser.get(f"{HOME}/groups/{above.id}/").status_code == 404
    assert browser.get(f"/o/northwind-it/groups/{above.id}/").status_code == 404


def test_computers_are_found_by_name_user_and_state(reader: User, laptop: Computer, as_user: SignIn) -> None:
    factories.computer(laptop.group, "SRV-01", mode="learning", last_seen_at=clock.now() - timedelta(days=9))
    browser = as_user(reader)
    for query, seen in (
        ("", {"FIN-LT-07", "SRV-01"}),
        ("?q=fin", {"FIN-LT-07"}),
        ("?q=anna", {"FIN-LT-07"}),
        ("?mode=learning", {"SRV-01"}),
        ("?silent_days=7", {"SRV-01"}),
        (f"?group={laptop.group_id}&mode=secured", {"FIN-LT-07"}),
        ("?os=linux", set()),
        ("?mode=nonsense", {"FIN-LT-07", "SRV-01"}),
    ):
        page = text(browser, f"{HOME}/computers/{query}")
        assert {name for name in ("FIN-LT-07", "SRV-01") if f">{name}<" in page or f"{name}</bdi>" in page} == seen, (
            query
        )


def test_a_computer_opens_in_the_drawer_and_as_a_page(reader: User, laptop: Computer, as_user: SignIn) -> None:
    browser = as_user(reader)
    path = f"{HOME}/computers/{laptop.id}/"
    page = text(browser, path)
    drawer = browser.get(path, headers={"HX-Request": "true", "HX-Target": "drawer"}).content.decode()
    assert "<!doctype html>" in page and "<!doctype html>" not in drawer
    assert "none acknowledged yet" in page and "none acknowledged yet" in drawer
    assert "Forget" not in page


def test_a_computer_is_moved_within_its_organization_only(
    technician: User, laptop: Computer, able_moose: Organization, brisk_otter: Organization, as_user: SignIn
) -> None:
    sales, servers = factories.group(able_moose, "Sales"), factories.group(able_moose, "Servers", os="linux")
    foreign = factories.group(brisk_otter, "Front desk")
    browser = as_user(technician)
    path = f"{HOME}/computers/{laptop.id}/move/"
    for wrong in (servers, foreign):
        assert browser.post(path, {"group": str(wrong.id)}).status_code == 422
    assert browser.post(path, {"group": str(sales.id)}).status_code == 302
    assert Computer.rows.get(id=laptop.id).group == sales
    entry = Entry.rows.get(verb="computer.moved")
    assert (entry.before, entry.after) == ({"group": "Finance"}, {"group": "Sales"})


def test_a_hostile_name_stays_text(reader: User, laptop: Computer, as_user: SignIn) -> None:
    Computer.rows.filter(id=laptop.id).update(name="<img src=x onerror=alert(1)>\u202egpj.exe", last_user='"><script>')
    for path in (f"{HOME}/computers/", f"{HOME}/computers/{laptop.id}/", f"{HOME}/groups/{laptop.group_id}/"):
        page = text(as_user(reader), path)
        assert "<img src=x" not in page and '"><script>' not in page and "\u202e" not in page


def test_only_some_roles_read_the_system_audit(
    reader: User, customer_admin: User, stranger: User, as_user: SignIn
) -> None:
    assert as_user(reader).get(f"{HOME}/journal/").status_code == 403
    assert as_user(customer_admin).get(f"{HOME}/journal/").status_code == 200
    assert as_user(stranger).get(f"{HOME}/journal/").status_code == 404


def test_the_system_audit_tells_and_proves(owner: User, able_moose: Organization, as_user: SignIn) -> None:
    browser = as_user(owner)
    browser.post(f"{HOME}/groups/new/", {"name": "=cmd|'/c calc'!A1", "os": "windows", "initial_learning_days": "0"})
    page = text(browser, f"{HOME}/journal/?verb=group.created")
    assert "group created" in page
    entry = Entry.rows.get(verb="group.created")
    assert bytes(entry.hash).hex() in text(browser, f"{HOME}/journal/{entry.id}/")
    assert "The chain is whole" in browser.post("/all/journal/verify/").content.decode()
    rows = list(csv.reader(io.StringIO(b"".join(browser.get("/all/journal/export/")).decode())))
    assert rows[0][:2] == ["at", "organization"]
    made = next(row for row in rows if "group.created" in row)
    assert made[9] == "'=cmd|'/c calc'!A1"
    assert Entry.rows.filter(verb="journal.exported").count() == 1


def test_an_export_holds_only_what_one_may_read(
    customer_admin: User, brisk_otter: Organization, as_user: SignIn
) -> None:
    factories.group(brisk_otter, "Front desk")
    content = b"".join(as_user(customer_admin).get("/all/journal/export/")).decode()
    assert "Brisk Otter" not in content and "Front desk" not in content


def test_every_screen_of_a_customer_is_404_for_a_stranger(
    stranger: User, laptop: Computer, finance: ComputerGroup, as_user: SignIn
) -> None:
    browser = as_user(stranger)
    paths = ("", "edit/", "groups/", "groups/new/", "computers/", "journal/", "settings/", "settings/tokens/")
    things = (
        f"groups/{finance.id}/",
        f"groups/{finance.id}/edit/",
        f"computers/{laptop.id}/",
        f"computers/{laptop.id}/move/",
    )
    assert [p for p in paths + things if browser.get(f"{HOME}/{p}").status_code != 404] == []
    own = "/o/brisk-otter-dental"
    assert [p for p in things if browser.get(f"{own}/{p}").status_code != 404] == []


@pytest.mark.parametrize(
    "path", ["computers/", "groups/", "journal/", "settings/people/", "settings/tokens/", "organizations/"]
)
def test_the_cost_of_a_list_does_not_grow_with_it(owner: User, laptop: Computer, as_user: SignIn, path: str) -> None:
    browser = as_user(owner)
    browser.get("/all/computers/")

    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert browser.get(f"/all/{path}").status_code == 200
        return len(seen)

    few = statements()
    root = Organization.rows.get(parent=None)
    for number in range(8):
        organization = factories.organization(f"Customer {number}", root)
        factories.computer(factories.group(organization, f"Group {number}"), f"PC-{number}")
        secret_of(factories.person(f"Person {number}", Role.TECHNICIAN, organization))
    assert statements() <= few
