"""What reaches a computer: which policies, in which layers, in which mode, under which settings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from policies import authoring, modes, settings
from policies.compile import Snapshot, snapshot
from policies.engine import bundle
from policies.models import Action, Level
from policies.modes import ModeDraft
from policies.scopes import Scope
from portal.common import clock
from portal.common.errors import Invalid, NotFound
from portal.tenants.models import Computer, ComputerGroup, Mode, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally


def policy_names(snapshot: Snapshot, computer: Computer) -> list[str]:
    layers = [layer for layer in snapshot.layers_of(computer) if layer.kind == "policies"]
    return [policy.name for layer in layers for policy in bundle.open_layer(layer.blob).policies]


def test_a_computer_gets_the_policies_of_its_four_scopes_and_no_others(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, brisk_otter: Organization,
    finance: ComputerGroup, fin_01: Computer, all_windows: ComputerGroup,
) -> None:  # fmt: skip
    with reaching(factories.SYSTEM):
        sales = factories.group(able_moose, "Sales")
        fin_02 = factories.computer(finance, "fin-02")
        all_linux = factories.group(northwind, "All Linux", is_global=True, os="linux")
    miners = an_application(owner_reach, northwind, "Miners")
    linux = an_application(owner_reach, northwind, "Miners Linux", os="linux", rules=[])
    acme = an_application(owner_reach, able_moose, "Acme")
    otter = an_application(owner_reach, brisk_otter, "Otter")
    a_policy(owner_reach, globally(owner_reach, all_windows), miners, name="glb-windows", action=Action.DENY)
    a_policy(owner_reach, globally(owner_reach, northwind), miners, name="glb-msp", action=Action.DENY)
    a_policy(owner_reach, globally(owner_reach, all_linux), linux, name="glb-linux", action=Action.DENY)
    a_policy(owner_reach, at_organization(northwind), miners, name="org-northwind")
    a_policy(owner_reach, at_organization(able_moose), acme, name="org-moose")
    a_policy(owner_reach, at_group(finance), acme, name="grp-finance")
    a_policy(owner_reach, at_group(sales), acme, name="grp-sales")
    a_policy(owner_reach, Scope(able_moose.id, Level.COMPUTER, fin_01.id), acme, name="cmp-fin-01")
    a_policy(owner_reach, Scope(able_moose.id, Level.COMPUTER, fin_02.id), acme, name="cmp-fin-02")
    a_policy(owner_reach, at_organization(brisk_otter), otter, name="org-otter")
    disabled = a_policy(owner_reach, at_group(finance), acme, name="grp-disabled")
    authoring.set_enabled(owner_reach, disabled.id, enabled=False)

    found = snapshot(owner_reach, able_moose.id)
    assert policy_names(found, fin_01) == [
        "glb-msp", "glb-windows", "org-moose", "grp-finance", "Default - (Finance)", "cmp-fin-01",
    ]  # fmt: skip
    applications = [layer.name for layer in found.layers_of(fin_01) if layer.kind == "application"]
    assert applications == ["Acme", "Miners"]


def test_computers_of_one_group_share_their_layers_and_equal_content_has_equal_bytes(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer, acme: object
) -> None:
    a_policy(reach, at_group(finance), acme)  # type: ignore[arg-type]
    with reaching(factories.SYSTEM):
        fin_02 = factories.computer(finance, "fin-02")
    first = snapshot(reach, able_moose.id)
    assert first.layers_of(fin_01) is first.layers_of(fin_02)
    again = snapshot(reach, able_moose.id)
    assert again.layers_of(fin_01) == first.layers_of(fin_01)
    assert all(bundle.digest(layer.blob) == layer.digest for layer in first.layers_of(fin_01))


def test_a_global_group_holds_by_system_and_by_the_name_of_the_own_group(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer,
    all_windows: ComputerGroup,
) -> None:  # fmt: skip
    with reaching(factories.SYSTEM):
        fins = factories.group(northwind, "All Fin", is_global=True, name_prefix="FIN")
        factories.group(northwind, "All Servers", is_global=True, name_prefix="Serv")
        factories.group(northwind, "All Macs", is_global=True, os="macos")
    place = snapshot(owner_reach, able_moose.id).place_of(fin_01)
    assert set(place.above) == {str(northwind.id), str(all_windows.id), str(fins.id)}
    assert (place.organization, place.group) == (str(able_moose.id), str(finance.id))


def test_a_snapshot_takes_as_many_statements_for_many_computers_as_for_one(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, acme: object
) -> None:
    a_policy(reach, at_group(finance), acme)  # type: ignore[arg-type]
    computers = [
        Computer(organization=able_moose, group=finance, name=f"c{n}", machine_id=f"m{n}", os="windows")
        for n in range(500)
    ]
    with CaptureQueriesContext(
        connection,
    ) as seen:
        found = snapshot(reach, able_moose.id)
    assert len(seen) <= 25  # ten reads, the rest opens and closes reaches
    with CaptureQueriesContext(connection) as seen:
        for computer in computers:
            found.layers_of(computer)
            found.place_of(computer)
            found.mode_of(computer)
            found.settings_of(computer)
    assert len(seen) == 0


def test_a_snapshot_of_another_customer_is_not_found(reach: Reach, brisk_otter: Organization) -> None:
    with pytest.raises(NotFound):
        snapshot(reach, brisk_otter.id)


def test_a_mode_lasts_until_its_end_then_the_groups_mode_holds(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    now = clock.now()
    ends_at = now + timedelta(hours=2)
    modes.set_mode(reach, "computer", fin_01.id, draft=ModeDraft(Mode.LEARNING, ends_at, reason="Scanner"))
    modes.set_mode(reach, "group", finance.id, draft=ModeDraft(Mode.MONITOR_ONLY))
    found = snapshot(reach, able_moose.id)
    fin_01.refresh_from_db()
    own = found.mode_of(fin_01, now)
    assert (own.mode, own.ends_at, own.after, own.from_group) == ("learning", ends_at, "monitor_only", False)
    assert own.window and own.started_at is not None
    later = found.mode_of(fin_01, ends_at)
    assert (later.mode, later.from_group) == ("monitor_only", True)
    assert found.place_of(fin_01, ends_at).mode == "monitor_only"


def test_ending_a_mode_goes_back_to_secured_and_is_told(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    ends_at = clock.now() + timedelta(hours=1)
    modes.set_mode(reach, "computer", fin_01.id, draft=ModeDraft(Mode.INSTALLATION, ends_at))
    assert modes.mode_state(reach, "computer", fin_01.id).window.started_by == "Tom Technician"  # type: ignore[union-attr]
    modes.end_mode(reach, "computer", fin_01.id)
    assert modes.mode_state(reach, "computer", fin_01.id).mode == Mode.SECURED
    fin_01.refresh_from_db()
    assert snapshot(reach, able_moose.id).mode_of(fin_01).mode == "secured"


@pytest.mark.parametrize(
    ("mode", "hours", "says"),
    [(Mode.LEARNING, None, "needs an end"), (Mode.INSTALLATION, 25, "24 hours"), (Mode.LEARNING, -1, "past")],
)
def test_a_mode_that_weakens_ends_in_time(
    reach: Reach, fin_01: Computer, mode: Mode, hours: int | None, says: str
) -> None:
    ends_at = None if hours is None else clock.now() + timedelta(hours=hours)
    with pytest.raises(Invalid, match=says):
        modes.set_mode(reach, "computer", fin_01.id, draft=ModeDraft(mode, ends_at))


def test_the_setting_of_the_lowest_order_wins_then_the_nearest_scope(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    name = "prioritize_builtin_applications"
    assert snapshot(reach, able_moose.id).settings_of(fin_01).prioritize_builtin is True
    whole = settings.create_setting(reach, scope=at_organization(able_moose), name=name, value=False)
    group = settings.create_setting(reach, scope=at_group(finance), name=name, value=True)
    assert snapshot(reach, able_moose.id).settings_of(fin_01).prioritize_from == whole
    settings.move_setting(reach, group.id, place=settings.Placement("top"))
    found = snapshot(reach, able_moose.id).settings_of(fin_01)
    assert (found.prioritize_builtin, found.prioritize_from) == (True, group)
    assert snapshot(reach, able_moose.id).place_of(fin_01).prioritize_builtin is True
