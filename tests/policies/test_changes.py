"""What waits for a deployment, and which deployment takes it along."""

from __future__ import annotations

import pytest

from policies import authoring, catalogue, changes
from policies.catalogue import RuleDraft
from policies.models import Application, Change, Level
from policies.scopes import Scope
from portal.common import registry
from portal.common.errors import NotFound, Refused
from portal.common.uuid7 import uuid7
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally

SYSTEM = factories.SYSTEM


def summaries(reach: Reach) -> set[str]:
    return set(changes.pending(reach).values_list("summary", flat=True))


@pytest.fixture
def waiting(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, brisk_otter: Organization,
    finance: ComputerGroup, fin_01: Computer, all_windows: ComputerGroup,
) -> Reach:  # fmt: skip
    """One change at each scope, and nothing else."""
    with reaching(SYSTEM):
        sales = factories.group(able_moose, "Sales")
    miners = an_application(owner_reach, northwind, "Miners")
    tools = an_application(owner_reach, able_moose, "Tools")
    otter = an_application(owner_reach, brisk_otter, "Otter")
    with reaching(SYSTEM):
        Change.objects.within(SYSTEM).all().delete()
    for name, scope, application in (
        ("glb", globally(owner_reach, northwind), miners),
        ("glb-windows", globally(owner_reach, all_windows), miners),
        ("org", at_organization(able_moose), tools),
        ("grp-finance", at_group(finance), tools),
        ("grp-sales", at_group(sales), tools),
        ("cmp", Scope(able_moose.id, Level.COMPUTER, fin_01.id), tools),
        ("otter", at_organization(brisk_otter), otter),
    ):
        a_policy(owner_reach, scope, application, name=name)
    return owner_reach


@pytest.mark.parametrize(
    ("level", "left"),
    [
        ("computer", {"glb", "glb-windows", "org", "grp-finance", "grp-sales", "otter"}),
        ("group", {"glb", "glb-windows", "org", "grp-sales", "otter"}),
        ("organization", {"glb", "glb-windows", "otter"}),
        ("global group", {"glb", "org", "grp-finance", "grp-sales", "cmp", "otter"}),
        ("global", set()),
    ],
)
def test_a_deployment_takes_along_what_waits_at_its_scope(
    waiting: Reach, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer,
    all_windows: ComputerGroup, level: str, left: set[str],
) -> None:  # fmt: skip
    organization_id, target = {
        "computer": (able_moose.id, fin_01.id),
        "group": (able_moose.id, finance.id),
        "organization": (able_moose.id, able_moose.id),
        "global group": (northwind.id, all_windows.id),
        "global": (northwind.id, northwind.id),
    }[level]
    deployment = uuid7()
    count = changes.mark_deployed(
        waiting, deployment_id=deployment, organization_id=organization_id, level=level.split()[0], target_id=target
    )
    assert summaries(waiting) == {f"{name} created" for name in left}
    assert Change.objects.within(waiting).filter(deployment_id=deployment).count() == count == 7 - len(left)


def test_the_bar_says_how_many_wait_since_when_and_by_whom(waiting: Reach, able_moose: Organization) -> None:
    found = {one.organization_id: one for one in changes.waiting(waiting)}
    assert found[able_moose.id].count == 4
    assert found[able_moose.id].people == (("Olive Owner", 4),)


def test_a_rule_of_an_application_that_nobody_uses_changes_no_bundle(reach: Reach, acme: Application) -> None:
    before = changes.pending(reach).count()
    catalogue.add_file_rule(reach, acme.id, rule=RuleDraft(path=r"c:\more\*"))
    assert changes.pending(reach).count() == before


def test_a_rule_of_the_msps_application_waits_in_every_organization_that_uses_it(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, brisk_otter: Organization,
    finance: ComputerGroup,
) -> None:  # fmt: skip
    tools = an_application(owner_reach, northwind, "Tools")
    a_policy(owner_reach, at_group(finance), tools)
    a_policy(owner_reach, at_organization(able_moose), tools)
    a_policy(owner_reach, at_organization(brisk_otter), tools)
    off = a_policy(owner_reach, at_organization(northwind), tools)
    authoring.set_enabled(owner_reach, off.id, enabled=False)
    catalogue.add_file_rule(owner_reach, tools.id, rule=RuleDraft(path=r"c:\more\*"))
    newest = changes.pending(owner_reach).filter(verb="application.rule_added")
    assert {(c.organization_id, c.level) for c in newest} == {
        (able_moose.id, "organization"), (brisk_otter.id, "organization"),
    }  # fmt: skip


def test_a_computer_that_goes_to_another_group_waits(reach: Reach, able_moose: Organization, fin_01: Computer) -> None:
    for hook in registry.computer_hooks:
        hook(reach, fin_01)
    assert changes.pending(reach)[0].summary == "fin-01 moved to Finance"


def test_the_default_follows_the_name_of_its_group(able_moose: Organization, world: None) -> None:
    group = factories.group(able_moose, "Finance")
    group.name = "Accounts"
    group.save()
    for _ in range(2):
        for hook in registry.group_hooks:
            hook(SYSTEM, group)
    policies = list(Change.objects.within(SYSTEM).order_by("number").values_list("verb", "summary"))
    assert policies == [("policy.created", "Default - (Finance)"), ("policy.renamed", "Default - (Accounts)")]


def test_a_global_group_has_no_default(all_windows: ComputerGroup) -> None:
    assert not Change.objects.within(SYSTEM).filter(organization=all_windows.organization).exists()


def test_an_application_belongs_to_those_above_and_is_written_there_only(
    reach: Reach, northwind: Organization, acme: Application
) -> None:
    with reaching(SYSTEM):
        shared = an_application(SYSTEM, northwind, "Shared")
    with reaching(reach), pytest.raises(NotFound):
        catalogue.update_application(reach, shared.id, name="Mine")
    with pytest.raises(Refused, match="fixed once"):
        catalogue.update_application(reach, acme.id, os="linux")
