"""Copying policies: mapped by name and shown first; copies arrive disabled, at the bottom, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from policies import authoring, catalogue, changes, undoing
from policies.catalogue import RuleDraft
from policies.copying.making import copy_policies
from policies.copying.mapping import MappedPolicy, MappedTarget, map_copies, policies_at, policies_to_copy
from policies.copying.wishes import Wishes
from policies.models import Application, FileRule, Policy
from policies.scopes import FoundScope, find_scope
from portal.accounts.models import Role
from portal.common import clock
from portal.common.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from portal.tenants.models import ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization


@pytest.fixture
def msp(able_moose: Organization, brisk_otter: Organization, northwind: Organization) -> Iterator[Reach]:
    tess = factories.person("Tess Technician", Role.TECHNICIAN, northwind)
    mine = factories.reach(tess)
    with reaching(mine):
        yield mine


@pytest.fixture
def finance(msp: Reach, able_moose: Organization) -> ComputerGroup:
    return factories.group(able_moose, "Finance")


@pytest.fixture
def tools(msp: Reach, able_moose: Organization) -> Application:
    return an_application(msp, able_moose, "Acme Tools", publisher="Acme")


@pytest.fixture
def shared(msp: Reach, northwind: Organization) -> Application:
    return an_application(msp, northwind, "Zoom")


def to(reach: Reach, *things: Organization | ComputerGroup) -> list[FoundScope]:
    return [
        find_scope(reach, "organization" if isinstance(thing, Organization) else "group", thing.id) for thing in things
    ]


def mapped(
    reach: Reach, policies: list[Policy], target: Organization | ComputerGroup, **wishes: object
) -> MappedTarget:
    found = policies_to_copy(reach, [policy.id for policy in policies])
    return map_copies(reach, found, to(reach, target), Wishes(**wishes))[0]  # type: ignore[arg-type]


def only(target: MappedTarget) -> MappedPolicy:
    assert len(target.policies) == 1
    return target.policies[0]


def of(organization: Organization) -> list[Policy]:
    return list(Policy.rows.filter(organization=organization, is_default=False).order_by("order", "id"))


def test_copies_are_disabled_at_the_bottom_and_in_the_same_order(
    msp: Reach, finance: ComputerGroup, brisk_otter: Organization, shared: Application
) -> None:
    names = ["grp-a", "grp-b", "grp-c"]
    policies = [a_policy(msp, at_group(finance), shared, name=name) for name in names]
    own = a_policy(msp, at_organization(brisk_otter), shared, name="org-own")
    waiting = changes.pending(msp, [brisk_otter.id]).count()
    theirs = factories.group(brisk_otter, "Finance")
    copied = copy_policies(msp, [p.id for p in reversed(policies)], to(msp, brisk_otter))
    found = of(brisk_otter)
    assert [policy.name for policy in found] == ["org-own", *names]
    assert [policy.enabled for policy in found] == [True, False, False, False]
    assert {policy.target_group_id for policy in found[1:]} == {theirs.id}
    assert found[1].order > own.order
    assert [policy.name for policy in copied[0].made] == names
    assert changes.pending(msp, [brisk_otter.id]).exclude(summary__startswith="Default").count() == waiting


def test_a_custom_application_maps_by_name_and_system_or_is_copied(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, tools: Application
) -> None:
    Application.rows.filter(id=tools.id).update(category="rmm", risk="It runs scripts.")
    policy = a_policy(msp, at_organization(able_moose), tools)
    missing = only(mapped(msp, [policy], brisk_otter))
    assert [m.use for m in missing.applications] == ["none"]
    assert "another organization" in missing.misfits[0]
    wish = {(brisk_otter.id, tools.id): "copy"}
    assert [m.use for m in only(mapped(msp, [policy], brisk_otter, applications=wish)).applications] == ["copy"]
    copied = copy_policies(msp, [policy.id], to(msp, brisk_otter), wishes=Wishes(applications=wish))
    theirs = copied[0].applications[0]
    assert (theirs.organization_id, theirs.name, theirs.publisher) == (brisk_otter.id, "Acme Tools", "Acme")
    assert (theirs.category, theirs.risk) == ("rmm", "It runs scripts.")
    assert list(FileRule.rows.filter(application=theirs).values_list("path", flat=True)) == [
        r"c:\program files\acme tools\*"
    ]
    again = only(mapped(msp, [policy], brisk_otter))
    assert [(m.use, m.to) for m in again.applications] == [("named", theirs)]
    assert again.notes == ["organization-Acme Tools-permit is taken: the copy gets a number."]


def test_another_application_can_be_chosen_but_only_one_that_is_visible_there(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, tools: Application
) -> None:
    policy = a_policy(msp, at_organization(able_moose), tools)
    other = an_application(msp, brisk_otter, "Otter Tools")
    foreign = an_application(msp, able_moose, "Moose only")
    wish = {(brisk_otter.id, tools.id): str(other.id)}
    assert only(mapped(msp, [policy], brisk_otter, applications=wish)).applications[0].to == other
    wish = {(brisk_otter.id, tools.id): str(foreign.id)}
    assert only(mapped(msp, [policy], brisk_otter, applications=wish)).misfits


def test_an_application_can_be_left_out_but_not_the_last_one(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, tools: Application, shared: Application
) -> None:
    both = a_policy(msp, at_organization(able_moose), tools, shared)
    wish = {(brisk_otter.id, tools.id): "leave_out"}
    assert "Without Acme Tools." in only(mapped(msp, [both], brisk_otter, applications=wish)).notes
    alone = a_policy(msp, at_organization(able_moose), tools, name="alone")
    assert only(mapped(msp, [alone], brisk_otter, applications=wish)).misfits == ["No application is left."]


def test_what_does_not_fit_is_said_before(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, finance: ComputerGroup, shared: Application
) -> None:
    Organization.rows.filter(id=brisk_otter.id).update(time_zone="Australia/Perth")
    grouped = a_policy(msp, at_group(finance), shared)
    assert only(mapped(msp, [grouped], brisk_otter)).misfits == ["There is no group Finance of its system here."]
    placed = only(mapped(msp, [grouped], brisk_otter, without_place="organization"))
    assert placed.is_copied
    assert placed.scope is not None
    assert placed.scope.scope.level == "organization"
    macs = factories.group(brisk_otter, "Macs", os="macos")
    assert only(mapped(msp, [grouped], macs)).misfits == ["Its applications are for windows; Macs runs macos."]
    timed = a_policy(
        msp,
        at_organization(able_moose),
        shared,
        name="timed",
        schedule=({"day": 0, "start": "08:00", "end": "17:00"},),
        users=("petra",),
        reason="Petra asked",
    )
    notes = " ".join(only(mapped(msp, [timed], brisk_otter)).notes)
    assert "in Australia/Perth there" in notes
    assert "1 named users" in notes
    assert mapped(msp, [timed], brisk_otter).behind == ["reason"]
    expired = a_policy(msp, at_organization(able_moose), shared, name="old", expires_at=clock.now() + timedelta(days=1))
    Policy.rows.filter(id=expired.id).update(expires_at=clock.now() - timedelta(days=1))
    assert "expired" in only(mapped(msp, [expired], brisk_otter)).misfits[0]
    default = Policy.rows.get(target_group=finance, is_default=True)
    assert only(mapped(msp, [default], brisk_otter)).misfits == ["Each group has a default of its own."]


def test_a_computers_and_a_global_policy_have_no_place_in_an_organization(
    msp: Reach, finance: ComputerGroup, brisk_otter: Organization, shared: Application, northwind: Organization
) -> None:
    pc = factories.computer(finance, "fin-01")
    own = a_policy(msp, find_scope(msp, "computer", pc.id).scope, shared, name="cmp-zoom")
    assert "stands at the computer fin-01" in only(mapped(msp, [own], brisk_otter)).misfits[0]
    with reaching(factories.SYSTEM):
        everywhere = a_policy(factories.SYSTEM, find_scope(factories.SYSTEM, "global", northwind.id).scope, shared)
    assert "It is global" in only(mapped(msp, [everywhere], brisk_otter)).misfits[0]


def test_what_an_organizations_people_said_stays_there(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, shared: Application
) -> None:
    policy = a_policy(
        msp, at_organization(able_moose), shared, name="org-zoom", owner="Petra", reason="Petra asked", ticket="T-1"
    )
    copy_policies(msp, [policy.id], to(msp, brisk_otter, able_moose))
    theirs, ours = of(brisk_otter)[0], of(able_moose)[-1]
    assert (theirs.reason, theirs.ticket, "Petra" in theirs.owner) == ("", "", False)
    assert (ours.name, ours.reason, ours.ticket, ours.owner) == ("org-zoom (2)", "Petra asked", "T-1", "Petra")


def test_the_journals_of_both_sides_tell_it_without_the_others_name(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, shared: Application
) -> None:
    policy = a_policy(msp, at_organization(able_moose), shared, name="org-zoom")
    copy_policies(msp, [policy.id], to(msp, brisk_otter))
    here = Entry.rows.get(organization_id=able_moose.id, verb="policies.copied_out")
    there = Entry.rows.get(organization_id=brisk_otter.id, verb="policies.copied")
    assert here.after == {"policies": ["org-zoom"], "here": False, "other_organizations": 1}
    assert "Able Moose" not in str([there.after, there.details, there.target_name])


def test_an_organization_that_refuses_keeps_nothing_and_holds_up_no_other(
    msp: Reach,
    able_moose: Organization,
    brisk_otter: Organization,
    shared: Application,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policies = [a_policy(msp, at_organization(able_moose), shared, name=name) for name in ("org-a", "org-b")]
    a_policy(msp, at_organization(brisk_otter), shared, name="org-last")
    create = authoring.create_policy

    def full(reach: Reach, *, draft: object) -> Policy:
        if draft.name == "org-b" and draft.scope.organization_id == brisk_otter.id:  # type: ignore[attr-defined]
            raise Refused("There is no room.")
        return create(reach, draft=draft)  # type: ignore[arg-type]

    monkeypatch.setattr(authoring, "create_policy", full)
    moose_group = factories.group(able_moose, "Spare")
    copied = copy_policies(msp, [p.id for p in policies], [*to(msp, brisk_otter), *to(msp, moose_group)])
    outcome = {one.organization.name: (one.fault, len(one.made)) for one in copied}
    assert outcome == {"Brisk Otter Dental": ("There is no room.", 0), "Able Moose Accounting": ("", 2)}
    assert [policy.name for policy in of(brisk_otter)] == ["org-last"]
    assert undoing.undo_steps(msp, brisk_otter.id).count() == 0


def test_one_step_undoes_exactly_what_was_made(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, tools: Application, shared: Application
) -> None:
    policies = [a_policy(msp, at_organization(able_moose), app, name=app.name) for app in (tools, shared)]
    own = a_policy(msp, at_organization(brisk_otter), shared, name="org-own")
    wishes = Wishes(applications={(brisk_otter.id, tools.id): "copy"})
    copied = copy_policies(msp, [p.id for p in policies], to(msp, brisk_otter), wishes=wishes)[0]
    assert copied.step is not None
    undoing.undo(msp, copied.step.id)
    assert of(brisk_otter) == [own]
    assert not Application.rows.filter(organization=brisk_otter).exists()
    assert len(of(able_moose)) == 2


def test_a_copy_that_was_changed_or_whose_application_is_used_is_not_undone(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, tools: Application
) -> None:
    policy = a_policy(msp, at_organization(able_moose), tools)
    wishes = Wishes(applications={(brisk_otter.id, tools.id): "copy"})
    copied = copy_policies(msp, [policy.id], to(msp, brisk_otter), wishes=wishes)[0]
    assert copied.step is not None
    a_policy(msp, at_organization(brisk_otter), copied.applications[0], name="org-uses-it")
    with pytest.raises(Conflict, match="is used by"):
        undoing.undo(msp, copied.step.id)
    authoring.set_enabled(msp, copied.made[0].id, enabled=True)
    with pytest.raises(Conflict, match="was changed by Tess"):
        undoing.undo(msp, copied.step.id)
    assert len(of(brisk_otter)) == 2


def test_a_whole_group_goes_to_another_group(
    msp: Reach, able_moose: Organization, finance: ComputerGroup, shared: Application
) -> None:
    for name in ("grp-a", "grp-b"):
        a_policy(msp, at_group(finance), shared, name=name)
    sales = factories.group(able_moose, "Sales")
    copy_policies(msp, policies_at(msp, at_group(finance)), to(msp, sales))
    copies = Policy.rows.filter(target_group=sales, is_default=False).order_by("order")
    assert [policy.name for policy in copies] == ["grp-a (2)", "grp-b (2)"]


def test_nobody_copies_from_or_to_what_they_may_not(
    msp: Reach, able_moose: Organization, brisk_otter: Organization, shared: Application, northwind: Organization
) -> None:
    policy = a_policy(msp, at_organization(able_moose), shared)
    with reaching(factories.SYSTEM):
        everywhere = a_policy(factories.SYSTEM, find_scope(factories.SYSTEM, "global", northwind.id).scope, shared)
        rival = factories.reach(factories.person("Oscar Otter", Role.OWNER, brisk_otter))
        reader = factories.reach(factories.person("Rita Reader", Role.CUSTOMER_READER, able_moose))
        target = to(factories.SYSTEM, brisk_otter)
    with reaching(rival):
        for foreign in (policy, everywhere):
            with pytest.raises(NotFound):
                copy_policies(rival, [foreign.id], target)
    mine = to(msp, able_moose)
    with reaching(reader), pytest.raises(Forbidden):
        copy_policies(reader, [policy.id], mine)
    with reaching(reader), pytest.raises(NotFound):
        copy_policies(reader, [policy.id], target)
    with pytest.raises(Invalid):
        copy_policies(msp, [], target)
    with pytest.raises(Invalid):
        copy_policies(msp, [policy.id], [*target, *target])


def test_a_built_in_application_stays_what_it_is(
    msp: Reach, able_moose: Organization, brisk_otter: Organization
) -> None:
    with reaching(factories.SYSTEM):
        chrome = Application.rows.create(name="Chrome", kind="builtin", os="windows", catalogue_key="chrome-test")
    policy = a_policy(msp, at_organization(able_moose), chrome)
    one = only(mapped(msp, [policy], brisk_otter))
    assert [m.use for m in one.applications] == ["same"]
    assert mapped(msp, [policy], brisk_otter).applications == []


def test_a_rules_note_is_not_told_to_another_organization(
    msp: Reach, able_moose: Organization, brisk_otter: Organization
) -> None:
    noted = catalogue.create_application(
        msp,
        organization_id=able_moose.id,
        name="Noted",
        os="windows",
        rules=[RuleDraft(path=r"c:\noted\*", note="for Petra")],
    )
    policy = a_policy(msp, at_organization(able_moose), noted)
    wishes = Wishes(applications={(brisk_otter.id, noted.id): "copy"})
    copied = copy_policies(msp, [policy.id], to(msp, brisk_otter), wishes=wishes)[0]
    assert FileRule.rows.get(application=copied.applications[0]).note == ""
