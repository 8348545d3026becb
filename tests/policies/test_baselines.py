"""Baselines: written once at the MSP, followed by its customers, carried when somebody says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from policies import authoring, changes, placing, queries, undoing
from policies.baselines import drift, exempting, lifecycle, previewing, publishing, reading
from policies.baselines.lifecycle import Place
from policies.drafts import draft_of
from policies.models import Action, Application, Baseline, Change, Policy, Subscription
from portal.accounts.models import Role
from portal.common.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.administration import computers, groups, organizations
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization

LATER = reading.today() + timedelta(days=90)


@pytest.fixture
def msp(northwind: Organization, able_moose: Organization, brisk_otter: Organization) -> Iterator[Reach]:
    """A technician of the MSP: all of its customers, and nothing global."""
    tess = factories.person("Tess Technician", Role.TECHNICIAN, northwind)
    mine = factories.reach(tess)
    with reaching(mine):
        yield mine


@pytest.fixture
def zoom(msp: Reach, northwind: Organization) -> Application:
    return an_application(msp, northwind, "Zoom")


@pytest.fixture
def baseline(msp: Reach, northwind: Organization, zoom: Application) -> Baseline:
    """Two policies: a permit and a deny."""
    made = lifecycle.create_baseline(msp, organization_id=northwind.id, name="Workstations", os="windows")
    a_policy(msp, at_group(made.source_group), zoom, name="org-zoom-permit")
    miner = an_application(msp, northwind, "Miner")
    a_policy(msp, at_group(made.source_group), miner, name="org-miner-deny", action=Action.DENY)
    return made


@pytest.fixture
def following(msp: Reach, baseline: Baseline, able_moose: Organization, brisk_otter: Organization) -> Baseline:
    lifecycle.follow(msp, baseline.id, places=[Place(able_moose.id), Place(brisk_otter.id)])
    return reading.baseline(msp, baseline.id)


def of(organization: Organization) -> list[Policy]:
    return list(
        Policy.rows.filter(organization=organization, level="organization", is_default=False).order_by("order", "id")
    )


def source(baseline: Baseline, name: str) -> Policy:
    return Policy.rows.get(target_group=baseline.source_group_id, name=name)


def subscription(baseline: Baseline, organization: Organization) -> Subscription:
    return Subscription.rows.get(baseline=baseline, organization=organization)


def edit(reach: Reach, policy: Policy, **fields: object) -> Policy:
    draft = draft_of(policy, queries.application_ids(reach, policy.id))
    return authoring.update_policy(reach, policy.id, draft=replace(draft, **fields))  # type: ignore[arg-type]


def states(reach: Reach, baseline: Baseline) -> dict[str, list[str]]:
    """organization -> state of each of the baseline's policies."""
    found = drift.drift(reach, reading.baseline(reach, baseline.id))
    return {line.subscription.organization.name: [cell.state for cell in line.cells] for line in found.lines}


def test_a_follower_gets_linked_copies_with_the_same_orders_and_they_wait_as_changes(
    msp: Reach, following: Baseline, able_moose: Organization, zoom: Application
) -> None:
    mine = of(able_moose)
    sources = [source(following, policy.name) for policy in mine]
    assert [policy.name for policy in mine] == ["org-zoom-permit", "org-miner-deny"]
    assert [policy.order for policy in mine] == [policy.order for policy in sources]
    assert [policy.linked_to_id for policy in mine] == [policy.id for policy in sources]
    assert all(policy.enabled for policy in mine)
    assert [a.id for a in mine[0].named_applications] == [zoom.id]
    pending = changes.pending(msp, [able_moose.id])
    assert {change.object_id for change in pending} == {policy.id for policy in mine}
    assert journal.verify(factories.SYSTEM, able_moose.id).first_bad is None


def test_the_template_is_in_no_bundle_and_holds_no_computer(
    msp: Reach, baseline: Baseline, northwind: Organization
) -> None:
    assert not Change.rows.filter(organization=northwind).exists(), "nothing waits for a deployment"
    assert not Policy.rows.filter(target_group=baseline.source_group, is_default=True).exists()
    servers = groups.create_group(msp, organization_id=northwind.id, name="Own", os="windows")
    pc = factories.computer(servers, "pc-1")
    with pytest.raises(Refused, match="template of a baseline"):
        computers.move_computer(msp, pc.id, group_id=baseline.source_group_id)
    with pytest.raises(Exception, match="a template group holds no computer"):
        Computer.rows.filter(id=pc.id).update(group=baseline.source_group)


def test_an_edit_is_carried_when_somebody_says_so_and_seen_before(
    msp: Reach, following: Baseline, able_moose: Organization, brisk_otter: Organization
) -> None:
    group = factories.group(able_moose, "Finance")
    factories.computer(group, "fin-01")
    edit(msp, source(following, "org-zoom-permit"), description="For everybody")
    a_policy(
        msp,
        at_group(following.source_group),
        an_application(msp, following.organization, "Slack"),
        name="org-slack-permit",
    )
    authoring.delete_policy(msp, source(following, "org-miner-deny").id)
    assert states(msp, following)["Brisk Otter Dental"] == ["not_carried", "not_carried", "not_carried"]
    seen = previewing.preview(msp, reading.baseline(msp, following.id))
    moose = seen.outlooks[0]
    assert (moose.created, moose.changed, moose.removed) == (
        ["org-slack-permit"],
        ["org-zoom-permit"],
        ["org-miner-deny"],
    )
    assert (seen.version, seen.is_new, seen.computers, moose.inherits) == (2, True, 1, 2)
    assert [policy.description for policy in of(able_moose)] == ["", ""], "looking changes nothing"
    carried = publishing.carry(msp, following.id, note="Slack for all")
    assert carried.version == 2
    for organization in (able_moose, brisk_otter):
        assert [policy.name for policy in of(organization)] == ["org-zoom-permit", "org-slack-permit"]
        assert of(organization)[0].description == "For everybody"
    assert states(msp, following) == {
        name: ["in_step", "in_step"] for name in ("Able Moose Accounting", "Brisk Otter Dental")
    }
    again = publishing.carry(msp, following.id)
    assert again.version == 2
    assert not any(brought.anything for _, brought in again.done)


def test_enabling_and_order_are_carried_too(msp: Reach, following: Baseline, able_moose: Organization) -> None:
    authoring.move_policy(msp, source(following, "org-miner-deny").id, place=placing.TOP)
    authoring.set_enabled(msp, source(following, "org-zoom-permit").id, enabled=False)
    publishing.carry(msp, following.id)
    assert [(policy.name, policy.enabled) for policy in of(able_moose)] == [
        ("org-miner-deny", True),
        ("org-zoom-permit", False),
    ]


def test_a_taken_number_is_told_and_the_next_one_used(
    msp: Reach, baseline: Baseline, able_moose: Organization, zoom: Application
) -> None:
    own = a_policy(msp, at_organization(able_moose), zoom, name="org-own-permit")
    Policy.rows.filter(id=own.id).update(order=source(baseline, "org-zoom-permit").order)
    lifecycle.follow(msp, baseline.id, places=[Place(able_moose.id)])
    names = [policy.name for policy in of(able_moose)]
    assert names == ["org-own-permit", "org-zoom-permit", "org-miner-deny"]
    assert states(msp, baseline) == {"Able Moose Accounting": ["in_step", "in_step"]}


def test_the_preview_names_what_conflicts_with_a_customers_own_policies(
    msp: Reach, following: Baseline, able_moose: Organization, zoom: Application
) -> None:
    slack = an_application(msp, following.organization, "Slack")
    late = a_policy(msp, at_organization(able_moose), slack, name="org-slack-deny", action=Action.DENY)
    Policy.rows.filter(id=late.id).update(order=900_000)
    new = a_policy(msp, at_group(following.source_group), slack, name="org-slack-permit")
    same = a_policy(msp, at_organization(able_moose), zoom, name="org-own-permit")
    Policy.rows.filter(id=same.id).update(order=Policy.rows.get(id=new.id).order)
    Policy.rows.filter(name="org-zoom-permit", organization=able_moose).update(description="hand made")
    edit(msp, source(following, "org-zoom-permit"), reason="asked by all")
    told = previewing.preview(msp, reading.baseline(msp, following.id)).outlooks[0].conflicts
    assert any("org-slack-permit gets the order" in line for line in told)
    assert any(line.startswith("org-slack-deny (900,000) comes after org-slack-permit") for line in told)
    assert any("org-zoom-permit was changed here without an exception (description)" in line for line in told)


def test_left_out_needs_a_reason_and_a_date_and_stays_out_when_carried(
    msp: Reach, following: Baseline, able_moose: Organization
) -> None:
    at, zoom = subscription(following, able_moose), source(following, "org-zoom-permit")
    for reason, day in (
        ("", LATER),
        ("They use Teams", reading.today()),
        ("They use Teams", LATER + timedelta(days=999)),
    ):
        with pytest.raises(Invalid):
            exempting.make_exception(msp, at.id, zoom.id, kind="without", reason=reason, review_on=day)
    made = exempting.make_exception(msp, at.id, zoom.id, kind="without", reason="They use Teams", review_on=LATER)
    assert of(able_moose)[0].enabled is False
    edit(msp, zoom, description="new words")
    publishing.carry(msp, following.id)
    left_out = of(able_moose)[0]
    assert (left_out.enabled, left_out.description) == (False, "new words")
    assert states(msp, following)["Able Moose Accounting"] == ["exception", "in_step"]
    with pytest.raises(Conflict):
        exempting.make_exception(msp, at.id, zoom.id, kind="without", reason="again", review_on=LATER)
    exempting.end_exception(msp, made.id, note="Teams is gone")
    assert of(able_moose)[0].enabled is True
    assert states(msp, following)["Able Moose Accounting"] == ["in_step", "in_step"]
    verbs = [entry.verb for entry in Entry.rows.filter(organization_id=able_moose.id).order_by("sequence")]
    assert verbs[-5:] == [
        "baseline_exception.made",
        "baseline.left_out",
        "baseline.carried",
        "baseline_exception.ended",
        "baseline.put_back",
    ]


def test_changed_here_is_measured_against_what_was_accepted(
    msp: Reach, following: Baseline, able_moose: Organization
) -> None:
    at, zoom = subscription(following, able_moose), source(following, "org-zoom-permit")
    made = exempting.make_exception(
        msp, at.id, zoom.id, kind="changed", reason="Only the board", review_on=LATER, changes={"users": ["board"]}
    )
    assert of(able_moose)[0].users == ["board"]
    edit(msp, zoom, description="new words")
    publishing.carry(msp, following.id)
    assert (of(able_moose)[0].users, of(able_moose)[0].description) == (["board"], "")
    assert states(msp, following)["Able Moose Accounting"] == ["exception", "in_step"]
    edit(msp, of(able_moose)[0], users=("board", "cfo"))
    assert states(msp, following)["Able Moose Accounting"] == ["changed_further", "in_step"]
    exempting.put_back(msp, at.id, [zoom.id])
    assert of(able_moose)[0].users == ["board"]
    edit(msp, of(able_moose)[0], users=("cfo",))
    exempting.accept(msp, made.id, review_on=LATER, reason="Only the CFO")
    assert states(msp, following)["Able Moose Accounting"] == ["exception", "in_step"]
    exempting.end_exception(msp, made.id)
    assert (of(able_moose)[0].users, of(able_moose)[0].description) == ([], "new words")


def test_what_follows_cannot_be_changed_without_an_exception(
    msp: Reach, following: Baseline, able_moose: Organization
) -> None:
    mine = of(able_moose)[0]
    for attempt in (
        lambda: edit(msp, mine, description="x"),
        lambda: authoring.set_enabled(msp, mine.id, enabled=False),
        lambda: authoring.delete_policy(msp, mine.id),
        lambda: authoring.move_policy(msp, mine.id, place=placing.BOTTOM),
    ):
        with pytest.raises(Refused, match="follows the baseline Workstations") as refusal:
            attempt()
        assert refusal.value.code == "follows_baseline"


def test_drift_is_found_and_put_back(msp: Reach, following: Baseline, able_moose: Organization) -> None:
    zoom, miner = of(able_moose)
    Policy.rows.filter(id=zoom.id).update(users=["x"])
    miner.delete()
    assert states(msp, following)["Able Moose Accounting"] == ["drifted", "missing"]
    at = subscription(following, able_moose)
    exempting.put_back(msp, at.id, [p.linked_to_id for p in (zoom, miner) if p.linked_to_id])
    assert states(msp, following)["Able Moose Accounting"] == ["in_step", "in_step"]
    Policy.rows.filter(id=zoom.id).update(order=900_000)
    assert states(msp, following)["Able Moose Accounting"] == ["in_step", "drifted"]
    exempting.put_back(msp, at.id, [source(following, "org-miner-deny").id])
    assert states(msp, following)["Able Moose Accounting"] == ["in_step", "in_step"]


def test_a_policy_changed_here_outlives_the_baselines_own(
    msp: Reach, following: Baseline, able_moose: Organization, brisk_otter: Organization
) -> None:
    at, zoom = subscription(following, able_moose), source(following, "org-zoom-permit")
    exempting.make_exception(msp, at.id, zoom.id, kind="changed", reason="Own", review_on=LATER)
    authoring.delete_policy(msp, zoom.id)
    publishing.carry(msp, following.id)
    assert [policy.name for policy in of(brisk_otter)] == ["org-miner-deny"]
    kept = of(able_moose)[0]
    assert (kept.name, kept.linked_to_id) == ("org-zoom-permit", None)
    assert not reading.exceptions(msp).exists()


def test_carrying_is_undone_in_one_step(msp: Reach, following: Baseline, able_moose: Organization) -> None:
    at, zoom = subscription(following, able_moose), source(following, "org-zoom-permit")
    exempting.make_exception(msp, at.id, zoom.id, kind="changed", reason="Own", review_on=LATER)
    authoring.delete_policy(msp, zoom.id)
    edit(msp, source(following, "org-miner-deny"), description="new words")
    publishing.carry(msp, following.id)
    step = undoing.undo_steps(msp, able_moose.id).first()
    assert step is not None
    undoing.undo(msp, step.id)
    assert [(p.name, p.description, p.linked_to_id is None) for p in of(able_moose)] == [
        ("org-zoom-permit", "", False),
        ("org-miner-deny", "", False),
    ]
    assert reading.exceptions(msp).count() == 1
    at.refresh_from_db()
    assert at.version == 1


def test_stopping_keeps_the_policies_as_ones_own_or_takes_them_away(
    msp: Reach, following: Baseline, able_moose: Organization, brisk_otter: Organization
) -> None:
    lifecycle.stop_following(msp, subscription(following, able_moose).id, keep=True)
    lifecycle.stop_following(msp, subscription(following, brisk_otter).id, keep=False)
    assert [policy.linked_to_id for policy in of(able_moose)] == [None, None]
    assert of(brisk_otter) == []
    edit(msp, of(able_moose)[0], description="now ours")
    lifecycle.delete_baseline(msp, following.id)
    assert not ComputerGroup.rows.filter(id=following.source_group_id).exists()


def test_a_followed_baseline_is_not_deleted(msp: Reach, following: Baseline) -> None:
    with pytest.raises(Refused, match="2 organizations follow"):
        lifecycle.delete_baseline(msp, following.id)


def test_new_customers_and_groups_of_the_name_follow_by_themselves(
    owner_of_all: Reach, northwind: Organization, following: Baseline
) -> None:
    lifecycle.change_baseline(owner_of_all, following.id, new_customers=True)
    servers = lifecycle.create_baseline(
        owner_of_all,
        organization_id=northwind.id,
        name="Servers",
        os="windows",
        group_name="Servers",
        new_customers=True,
    )
    a_policy(
        owner_of_all, at_group(servers.source_group), an_application(owner_of_all, northwind, "IIS"), name="grp-iis"
    )
    publishing.carry(owner_of_all, servers.id)
    made = organizations.create_organization(owner_of_all, parent_id=northwind.id, name="Cedar Owl Law")
    with reaching(factories.SYSTEM):
        assert [policy.name for policy in of(made)] == ["org-zoom-permit", "org-miner-deny"]
        group = factories.group(made, "Servers")
        assert Policy.rows.filter(target_group=group, is_default=False).get().name == "grp-iis"
        factories.group(made, "servers 2")
        assert Subscription.rows.filter(organization=made).count() == 2


@pytest.fixture
def owner_of_all(northwind: Organization, msp: Reach) -> Iterator[Reach]:
    with reaching(factories.SYSTEM):
        mine = factories.reach(factories.person("Olive Owner", Role.OWNER, northwind))
    with reaching(mine):
        yield mine


def test_a_place_that_does_not_fit_is_refused(
    msp: Reach, following: Baseline, able_moose: Organization, northwind: Organization
) -> None:
    macs = factories.group(able_moose, "Macs", os="macos")
    with pytest.raises(Refused, match="holds macOS computers"):
        lifecycle.follow(msp, following.id, places=[Place(able_moose.id, macs.id)])
    with pytest.raises(Conflict, match="follows Workstations there already"):
        lifecycle.follow(msp, following.id, places=[Place(able_moose.id)])
    with pytest.raises(NotFound):
        lifecycle.follow(msp, following.id, places=[Place(northwind.id, macs.id)])


def test_a_customer_sees_what_it_follows_and_changes_none_of_it(
    msp: Reach, following: Baseline, able_moose: Organization, brisk_otter: Organization, northwind: Organization
) -> None:
    unseen = lifecycle.create_baseline(msp, organization_id=northwind.id, name="Servers", os="windows")
    at, zoom = subscription(following, able_moose), source(following, "org-zoom-permit")
    exempting.make_exception(msp, at.id, zoom.id, kind="without", reason="They use Teams", review_on=LATER)
    with reaching(factories.SYSTEM):
        admin = factories.reach(factories.person("Ada Admin", Role.CUSTOMER_ADMIN, able_moose))
    with reaching(admin):
        assert [found.name for found in reading.baselines(admin)] == ["Workstations"]
        assert [e.reason for e in reading.exceptions(admin)] == ["They use Teams"]
        mine = drift.drift(admin, reading.baseline(admin, following.id))
        assert [line.subscription.organization for line in mine.lines] == [able_moose]
        assert [cell.state for cell in mine.lines[0].cells] == ["exception", "in_step"]
        assert not Baseline.rows.filter(id=unseen.id).exists(), "the database hides what is not followed"
        other = subscription_of_other(following, brisk_otter)
        assert other is None, "and who else follows"
        with pytest.raises(NotFound):
            publishing.carry(admin, following.id)
        with pytest.raises(Forbidden):
            exempting.make_exception(admin, at.id, zoom.id, kind="without", reason="x", review_on=LATER)
        with pytest.raises(Forbidden):
            lifecycle.stop_following(admin, at.id, keep=True)
    with reaching(factories.SYSTEM):  # the database's wall is down: the first one stands alone
        assert [found.name for found in reading.baselines(admin)] == ["Workstations"]
        assert reading.subscriptions(admin).count() == 1
        assert reading.source_items(admin, following) is None


def subscription_of_other(baseline: Baseline, organization: Organization) -> Subscription | None:
    return Subscription.rows.filter(baseline=baseline, organization=organization).first()
