"""What the database itself refuses, whatever the code above it does; and what the second wall hides."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from policies.models import (
    AgentSetting,
    Application,
    Change,
    FileRule,
    ModeWindow,
    Policy,
    PolicyApplication,
    Revision,
)
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import Unscoped, reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally

SYSTEM = factories.SYSTEM
TABLES = (AgentSetting, Application, Change, FileRule, ModeWindow, Policy, PolicyApplication, Revision)


def policy_at(group: ComputerGroup, **fields: Any) -> Policy:
    base = {
        "organization_id": group.organization_id, "level": "group", "target_group_id": group.id, "name": "p",
        "action": "permit", "kind": "custom", "order": 100_001,
    }  # fmt: skip
    return Policy(**{**base, **fields})


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"order": 100}, "policy_order_in_its_range"),
        ({"order": 100_000}, "policy_order_in_its_range"),
        ({"order": 1_000_000}, "policy_order_in_its_range"),
        ({"kind": "builtin", "order": 100_001}, "policy_order_in_its_range"),
        ({"level": "organization"}, "policy_has_one_target"),
        ({"target_group_id": None}, "policy_has_one_target"),
        ({"level": "global", "target_group_id": None}, "policy_has_one_target"),
        ({"level": "organization", "target_group_id": None}, "policy_has_one_target"),
        ({"level": "computer", "target_group_id": None}, "policy_has_one_target"),
        ({"action": "permit_ringfenced"}, "policy_ringfence_with_its_action"),
        ({"ringfence": {"files": {"mode": "off"}}}, "policy_ringfence_with_its_action"),
        ({"schedule": {}}, "policy_schedule_is_a_list"),
        ({"is_default": True, "order": 1_000_000, "action": "permit"}, "policy_default_always_decides"),
        ({"is_default": True, "order": 1_000_000, "action": "deny"}, "policy_one_default_per_group"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(
    world: None, finance: ComputerGroup, fields: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        policy_at(finance, **fields).save(force_insert=True)


def test_one_order_once_in_a_scope(world: None, finance: ComputerGroup) -> None:
    policy_at(finance).save(force_insert=True)
    with pytest.raises(IntegrityError, match="policy_order_unique_group"), transaction.atomic():
        policy_at(finance).save(force_insert=True)


def test_the_target_is_of_the_policys_own_organization(
    world: None, finance: ComputerGroup, brisk_otter: Organization
) -> None:
    with pytest.raises(IntegrityError, match="same_tenant"), transaction.atomic():
        policy_at(finance, organization_id=brisk_otter.id).save(force_insert=True)
        transaction.get_connection().check_constraints()


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({}, "filerule_has_a_condition"),
        ({"note": "only a note"}, "filerule_has_a_condition"),
        ({"hash": "AB" * 32}, "filerule_hash_is_sha256"),
        ({"hash": "ab"}, "filerule_hash_is_sha256"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(
    world: None, able_moose: Organization, fields: dict[str, Any], constraint: str
) -> None:
    tools = an_application(SYSTEM, able_moose, "Tools")
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        FileRule(organization=able_moose, application=tools, position=9, **fields).save(force_insert=True)


def test_an_application_is_built_in_or_owned_and_its_name_is_its_own(world: None, able_moose: Organization) -> None:
    an_application(SYSTEM, able_moose, "Tools")
    for fields, constraint in (
        ({"kind": "builtin", "organization": able_moose, "name": "A"}, "application_builtin_or_owned"),
        ({"kind": "custom", "name": "A"}, "application_builtin_or_owned"),
        ({"kind": "custom", "organization": able_moose, "name": "TOOLS"}, "application_name_unique"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            Application(**fields).save(force_insert=True)  # type: ignore[arg-type]


def test_a_mode_window_of_learning_has_an_end(world: None, finance: ComputerGroup) -> None:
    window = ModeWindow(
        organization=finance.organization, level="group", target_group=finance, mode="learning", started_at=clock.now()
    )
    with pytest.raises(IntegrityError, match="modewindow_has_an_end"), transaction.atomic():
        window.save(force_insert=True)


def fill(northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer) -> None:
    """A row of every table, at Able Moose and globally."""
    miners = an_application(SYSTEM, northwind, "Miners")
    tools = an_application(SYSTEM, able_moose, "Tools")
    a_policy(SYSTEM, globally(SYSTEM, northwind), miners, name="glb", action="deny")
    a_policy(SYSTEM, at_organization(northwind), miners, name="northwind's own")
    a_policy(SYSTEM, at_group(finance), tools, name="moose's own")
    name = "prioritize_builtin_applications"
    for scope in (globally(SYSTEM, northwind), at_organization(northwind), at_group(finance)):
        AgentSetting(**scope.columns(), name=name, value=True, order=100_001).save(force_insert=True)
    ModeWindow(
        organization=able_moose, level="computer", target_computer=fin_01, mode="monitor_only", started_at=clock.now()
    ).save(force_insert=True)


def test_with_the_filter_taken_away_row_level_security_still_hides_another_customers_rows(
    everybody: None, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer,
    stranger: Any,
) -> None:  # fmt: skip
    fill(northwind, able_moose, finance, fin_01)
    assert all(model.rows.exists() for model in TABLES)
    foreign = factories.reach(stranger)
    with reaching(foreign):
        seen = {model.__name__: model.rows.filter(organization=able_moose).count() for model in TABLES}
        assert set(seen.values()) == {0}, seen
        assert [p.name for p in Policy.rows.all()] == ["glb"]
        assert [s.level for s in AgentSetting.rows.all()] == ["global"]
        assert PolicyApplication.rows.count() == 1
        assert Policy.rows.filter(name="glb").update(name="mine") == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Application(organization=able_moose, name="Planted").save(force_insert=True)


def test_with_row_level_security_open_the_managers_still_hide_another_customers_rows(
    everybody: None, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer,
    stranger: Any,
) -> None:  # fmt: skip
    fill(northwind, able_moose, finance, fin_01)
    foreign = factories.reach(stranger)
    for model in TABLES:
        assert not model.objects.within(foreign).filter(organization=able_moose).exists(), model
        with pytest.raises(Unscoped):
            model.objects.count()
    assert [p.name for p in Policy.objects.within(foreign)] == ["glb"]


def test_outside_of_any_reach_nothing_is_there(reach: Reach, acme: Application) -> None:
    with reaching(Reach(reach.actor)):
        assert not any(model.rows.exists() for model in TABLES)
