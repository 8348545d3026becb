"""Agent settings: the ordered list, what holds where and why, and whom a change would alter."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from policies import changes, settings
from policies.models import AgentSetting, Change
from policies.placing import TOP, after, before
from policies.scopes import Scope
from policies.setting_effects import effects
from portal.accounts.models import User
from portal.common.errors import Forbidden, Invalid, Refused
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import at_group, at_organization, globally

pytestmark = pytest.mark.django_db

NAME = "prioritize_builtin_applications"
AsUser = Callable[[User], Client]


def at_computer(computer: Computer) -> Scope:
    return Scope(computer.organization_id, "computer", computer.id)  # type: ignore[arg-type]


def put(reach: Reach, scope: Scope, value: object = False, name: str = NAME, **fields: object) -> AgentSetting:
    return settings.create_setting(reach, scope=scope, name=name, value=value, **fields)  # type: ignore[arg-type]


def in_order(reach: Reach) -> list[str]:
    rows = AgentSetting.objects.within(reach).select_related("target_organization", "target_group", "target_computer")
    return [row.target_name for row in rows.order_by("order", "id")]


def test_settings_are_placed_top_bottom_before_and_after(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    first = put(reach, at_organization(able_moose))
    put(reach, at_group(finance))
    put(reach, at_computer(fin_01), place=after(first.id))
    assert in_order(reach) == ["Able Moose Accounting", "fin-01", "Finance"]
    last = AgentSetting.objects.within(reach).get(target_group=finance)
    settings.move_setting(reach, last.id, place=before(first.id))
    assert in_order(reach) == ["Finance", "Able Moose Accounting", "fin-01"]
    settings.move_setting(reach, first.id, place=TOP)
    assert in_order(reach) == ["Able Moose Accounting", "Finance", "fin-01"]


def test_a_full_list_is_renumbered_and_told(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    first, second = put(reach, at_organization(able_moose)), put(reach, at_group(finance))
    AgentSetting.objects.within(reach).filter(id=second.id).update(order=first.order + 1)
    put(reach, at_computer(fin_01), place=after(first.id))
    orders = AgentSetting.objects.within(reach).order_by("order").values_list("order", flat=True)
    assert list(orders) == [100_001, 100_101, 100_201]
    assert in_order(reach) == ["Able Moose Accounting", "fin-01", "Finance"]
    assert Change.objects.within(reach).filter(verb="setting.renumbered").count() == 1


def test_a_setting_that_stays_where_it_is_is_no_change(
    reach: Reach, able_moose: Organization, finance: ComputerGroup
) -> None:
    first = put(reach, at_organization(able_moose))
    put(reach, at_group(finance))
    known = Change.objects.within(reach).count()
    settings.move_setting(reach, first.id, place=TOP)
    assert Change.objects.within(reach).count() == known


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (NAME, 1), (NAME, "on"), ("log_permits", None), ("checkin_seconds", True), ("checkin_seconds", 14),
        ("checkin_seconds", 241), ("checkin_seconds", 60.5), ("checkin_seconds", "60"), ("volume", True),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(reach: Reach, finance: ComputerGroup, name: str, value: object) -> None:
    with pytest.raises(Invalid):
        put(reach, at_group(finance), value, name)


def test_a_place_that_is_none_is_refused(reach: Reach, finance: ComputerGroup, able_moose: Organization) -> None:
    row = put(reach, at_group(finance))
    with pytest.raises(Invalid):
        settings.move_setting(reach, row.id, place=after(able_moose.id))
    with pytest.raises(Refused):
        put(reach, at_group(finance))


def test_the_lowest_order_wins_then_the_nearer_scope(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    above = put(owner_reach, globally(owner_reach, northwind), True)
    near = put(owner_reach, at_group(finance), False)
    assert above.order == near.order
    found = settings.effective(owner_reach, computer=fin_01)[0]
    assert (found.value, found.origin, found.beaten) == (False, near, (above,))
    assert found.why == "of equal orders the nearer scope wins"
    whole = put(owner_reach, at_organization(able_moose), True, place=TOP)
    found = settings.effective(owner_reach, computer=fin_01)[0]
    assert found.origin is not None and found.origin.order == 100_001
    AgentSetting.objects.within(owner_reach).filter(id=near.id).update(order=whole.order + 500)
    AgentSetting.objects.within(owner_reach).filter(id=above.id).update(order=whole.order + 900)
    found = settings.effective(owner_reach, group=finance)[0]
    assert (found.value, found.origin, found.why) == (True, whole, "the lower order wins")
    assert settings.effective(owner_reach, organization=able_moose)[0].origin == whole


def test_where_nothing_is_set_the_portal_says_so(reach: Reach, able_moose: Organization) -> None:
    found = settings.effective(reach, organization=able_moose)
    assert [(one.shown, one.origin) for one in found] == [("on", None), ("60 s", None), ("on", None)]


def test_the_preview_counts_whose_value_becomes_another_and_leaves_nothing(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    factories.computer(finance, "fin-02")
    factories.computer(factories.group(able_moose, "Sales"), "sal-01")
    put(reach, at_computer(fin_01), True)
    rows, entries = AgentSetting.objects.within(reach).count(), Entry.objects.within(reach).count()
    scope = at_organization(able_moose)
    found = effects(reach, scope, lambda: put(reach, scope, False))
    assert (found.computers, found.looked_at) == (2, 3)  # fin-01 keeps its own: its order is the lower one
    assert {(one.group, one.before, one.after, one.computers) for one in found.altered} == {
        ("Finance", "on", "off", 1), ("Sales", "on", "off", 1),
    }  # fmt: skip
    assert (AgentSetting.objects.within(reach).count(), Entry.objects.within(reach).count()) == (rows, entries)
    assert changes.pending(reach).filter(verb="setting.created").count() == 1


def test_the_preview_of_a_global_setting_counts_the_organizations_beneath(
    owner_reach: Reach, northwind: Organization, brisk_otter: Organization, fin_01: Computer
) -> None:
    factories.computer(factories.group(brisk_otter, "Surgery"), "sur-01")
    scope = globally(owner_reach, northwind)
    found = effects(owner_reach, scope, lambda: put(owner_reach, scope, 30, "checkin_seconds"))
    assert {(one.organization, one.before, one.after) for one in found.altered} == {
        ("Able Moose Accounting", "60 s", "30 s"), ("Brisk Otter Dental", "60 s", "30 s"),
    }  # fmt: skip


def test_a_global_setting_takes_its_own_capability(reach: Reach, northwind: Organization) -> None:
    with reaching(factories.SYSTEM) as system:
        scope = globally(system, northwind)
    with pytest.raises(Exception) as refused:
        put(reach, scope)
    assert not isinstance(refused.value, AssertionError) and not AgentSetting.objects.within(factories.SYSTEM).exists()


# --- screens ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tom(as_user: AsUser, technician: User, fin_01: Computer) -> Client:
    return as_user(technician)


def address(of: Organization, route: str = "setting-list", *args: object, **query: object) -> str:
    return f"{reverse(f'policies:{route}', args=[of.slug, *args])}?{urlencode(query)}"


def test_the_screen_shows_the_list_and_what_holds_where(
    tom: Client, able_moose: Organization, finance: ComputerGroup, technician: User
) -> None:
    assert "Nothing is set" in tom.get(address(able_moose)).content.decode()
    with reaching(factories.SYSTEM) as system:
        put(system, at_group(finance), False)
    page = tom.get(address(able_moose, where="FIN-01")).content.decode()
    assert "Effective values at <bdi>fin-01</bdi>" in page
    assert ">Off<" in page
    assert "has no computer or group called" in tom.get(address(able_moose, where="nobody")).content.decode()


def test_a_setting_is_made_previewed_moved_changed_and_deleted_on_screen(
    tom: Client, able_moose: Organization, finance: ComputerGroup
) -> None:
    new = address(able_moose, "setting-create", name=NAME, value="off", scope=f"group:{finance.id}")
    assert '<option value="off" selected>' in tom.get(new).content.decode()
    typed = {"name": NAME, "scope": f"group:{finance.id}", "switch": "off", "seconds": "", "place": "bottom"}
    preview = tom.post(new, {**typed, "preview": "1"}, headers={"HX-Request": "true", "HX-Target": "setting-effects"})
    assert "1 of 1 computers" in preview.content.decode()
    assert not AgentSetting.rows.exists()
    assert tom.post(new, typed).status_code == 302
    row = AgentSetting.rows.get()
    wrong = tom.post(new, {**typed, "name": "checkin_seconds", "seconds": "5"})
    assert wrong.status_code == 422
    assert (
        tom.post(address(able_moose, "setting-create"), {**typed, "scope": f"organization:{able_moose.id}"}).status_code
        == 302
    )
    moved = tom.post(
        address(able_moose, "setting-move", row.id),
        {"place": "bottom"},
        headers={"HX-Request": "true", "HX-Target": "setting-table"},
    )
    assert moved.status_code == 200 and "changes-made" in moved["HX-Trigger"]
    assert tom.post(address(able_moose, "setting-edit", row.id), {"switch": "on"}).status_code == 302
    row.refresh_from_db()
    assert row.value is True
    gone = tom.get(address(able_moose, "setting-delete", row.id)).content.decode()
    assert "No computer gets another value" in gone  # the one of the organization stands above it
    assert AgentSetting.rows.count() == 2
    assert "Delete setting" in gone
    assert tom.post(address(able_moose, "setting-delete", row.id)).status_code == 302
    assert AgentSetting.rows.count() == 1


def test_who_may_only_read_changes_nothing(
    as_user: AsUser, customer_admin: User, able_moose: Organization, finance: ComputerGroup
) -> None:
    with reaching(factories.SYSTEM) as system:
        row = put(system, at_group(finance))
    ada = as_user(customer_admin)
    page = ada.get(address(able_moose)).content.decode()
    assert "New setting" not in page and "Move to top" not in page
    assert ada.post(address(able_moose, "setting-move", row.id), {"place": "top"}).status_code == 403
    assert Forbidden.status == 403
