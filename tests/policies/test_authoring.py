"""Writing policies: places and numbers, what is refused, what the System Audit and the pending changes hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policies import authoring, changes, placing, queries
from policies.drafts import draft_of
from policies.models import Action, Application, Change, Policy, Status
from portal.common import clock
from portal.common.errors import Forbidden, Invalid, NotFound, Refused
from portal.tenants.models import ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally, orders


def test_the_first_policy_takes_the_first_number_and_the_next_goes_below_it(
    reach: Reach, finance: ComputerGroup, acme: Application
) -> None:
    assert orders(a_policy(reach, at_group(finance), acme), a_policy(reach, at_group(finance), acme)) == [
        100_001,
        100_101,
    ]


def test_top_renumbers_the_whole_list_when_there_is_no_room_and_says_so(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, acme: Application
) -> None:
    first = a_policy(reach, at_group(finance), acme)
    second = a_policy(reach, at_organization(able_moose), acme)
    top = a_policy(reach, at_group(finance), acme, place=placing.TOP)
    assert orders(top, first, second) == [100_001, 100_101, 100_201]
    entry = Entry.objects.within(reach).get(verb="policies.renumbered")
    assert entry.before == {str(first.id): 100_001, str(second.id): 100_101}
    assert entry.after == {str(first.id): 100_101, str(second.id): 100_201}


def test_between_takes_the_midpoint(reach: Reach, finance: ComputerGroup, acme: Application) -> None:
    first, second = (a_policy(reach, at_group(finance), acme) for _ in range(2))
    between = a_policy(reach, at_group(finance), acme, place=placing.after(first.id))
    assert orders(first, between, second) == [100_001, 100_051, 100_101]


def test_touching_neighbours_are_renumbered_and_keep_their_order(
    reach: Reach, finance: ComputerGroup, acme: Application
) -> None:
    first = a_policy(reach, at_group(finance), acme)
    second = a_policy(reach, at_group(finance), acme, place=placing.at(100_002))
    third = a_policy(reach, at_group(finance), acme, place=placing.at(100_003))
    between = a_policy(reach, at_group(finance), acme, place=placing.before(second.id))
    assert orders(first, between, second, third) == [100_001, 100_101, 100_201, 100_301]


def test_moving_within_a_full_list_does_not_collide_with_its_own_old_number(
    reach: Reach, finance: ComputerGroup, acme: Application
) -> None:
    rows = [a_policy(reach, at_group(finance), acme, place=placing.at(100_001 + n)) for n in range(4)]
    moved = authoring.move_policy(reach, rows[3].id, place=placing.before(rows[1].id))
    assert orders(rows[0], moved, rows[1], rows[2]) == [100_001, 100_101, 100_201, 100_301]


@pytest.mark.parametrize(
    ("order", "says"), [(100, "too low"), (-5, "too low"), (50_000, "Prioritize Built-In"), (1_000_000, "Default Deny")]
)
def test_a_custom_policy_cannot_leave_its_range(
    reach: Reach, finance: ComputerGroup, acme: Application, order: int, says: str
) -> None:
    policy = a_policy(reach, at_group(finance), acme)
    with pytest.raises(Refused, match=says):
        authoring.move_policy(reach, policy.id, place=placing.at(order))
    assert orders(policy) == [100_001]


def test_a_number_is_taken_once_in_a_scope_and_may_repeat_in_another(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, acme: Application
) -> None:
    a_policy(reach, at_group(finance), acme)
    with pytest.raises(Refused, match="has the order"):
        a_policy(reach, at_group(finance), acme, place=placing.at(100_001))
    other = a_policy(reach, at_organization(able_moose), acme, place=placing.at(100_001))
    assert orders(other) == [100_001]


def test_a_policy_on_built_in_applications_gets_a_number_from_101(
    reach: Reach, finance: ComputerGroup, acme: Application
) -> None:
    with reaching(factories.SYSTEM):
        edge = Application.objects.within(factories.SYSTEM).create(
            kind="builtin", name="Microsoft Edge", catalogue_key="microsoft-edge", os="windows"
        )
    with reaching(reach):
        policy = a_policy(reach, at_group(finance), edge)
        assert orders(policy) == [101]
        with pytest.raises(Refused, match="not both"):
            a_policy(reach, at_group(finance), edge, acme)
        with pytest.raises(Refused, match="stays so"):
            authoring.update_policy(
                reach, policy.id, draft=replace(draft_of(policy, [edge.id]), applications=(acme.id,))
            )


def test_the_default_of_a_group_takes_logging_and_asking_only(reach: Reach, finance: ComputerGroup) -> None:
    default = Policy.objects.within(reach).get(target_group=finance, is_default=True)
    assert (default.name, default.order, default.action) == ("Default - (Finance)", 1_000_000, "deny")
    for attempt in (
        lambda: authoring.delete_policy(reach, default.id),
        lambda: authoring.set_enabled(reach, default.id, enabled=False),
        lambda: authoring.move_policy(reach, default.id, place=placing.TOP),
        lambda: authoring.update_policy(reach, default.id, draft=replace(draft_of(default, []), name="Mine")),
        lambda: authoring.update_policy(
            reach, default.id, draft=replace(draft_of(default, []), status=Status.MONITOR_ONLY)
        ),
    ):
        with pytest.raises(Refused):
            attempt()
    changed = authoring.update_policy(
        reach, default.id, draft=replace(draft_of(default, []), log=False, allow_request=False)
    )
    assert (changed.log, changed.allow_request, changed.is_default) == (False, False, True)


def test_nothing_moves_below_the_default(reach: Reach, finance: ComputerGroup, acme: Application) -> None:
    policy = a_policy(reach, at_group(finance), acme)
    default = Policy.objects.within(reach).get(target_group=finance, is_default=True)
    for place in (placing.after(default.id), placing.before(default.id)):
        with pytest.raises(Refused, match="default"):
            authoring.move_policy(reach, policy.id, place=place)


def test_writing_is_told_to_the_system_audit_and_waits_for_a_deployment(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, acme: Application
) -> None:
    policy = a_policy(reach, at_group(finance), acme)
    authoring.update_policy(reach, policy.id, draft=replace(draft_of(policy, [acme.id]), action=Action.DENY))
    authoring.move_policy(reach, policy.id, place=placing.at(200_000))
    authoring.set_enabled(reach, policy.id, enabled=False)
    authoring.delete_policy(reach, policy.id)
    verbs = Entry.objects.within(reach).filter(target_id=str(policy.id)).order_by("sequence")
    told = ["policy.created", "policy.changed", "policy.moved", "policy.disabled", "policy.deleted"]
    assert list(verbs.values_list("verb", flat=True)) == told
    waiting = changes.pending(reach, [able_moose.id]).filter(object_id=policy.id).order_by("number")
    # The delete of a disabled policy changes no bundle any more.
    assert list(waiting.values_list("verb", flat=True)) == told[:-1]
    assert {(c.level, c.target) for c in waiting} == {("group", finance.id)}


def test_changing_nothing_writes_nothing(reach: Reach, finance: ComputerGroup, acme: Application) -> None:
    policy = a_policy(reach, at_group(finance), acme)
    before = Change.objects.within(reach).count(), Entry.objects.within(reach).count()
    authoring.update_policy(reach, policy.id, draft=draft_of(queries.policy(reach, policy.id), [acme.id]))
    authoring.set_enabled(reach, policy.id, enabled=True)
    authoring.move_policy(reach, policy.id, place=placing.BOTTOM)
    assert (Change.objects.within(reach).count(), Entry.objects.within(reach).count()) == before


def test_every_fault_of_a_draft_is_named_at_its_field(reach: Reach, finance: ComputerGroup, acme: Application) -> None:
    with pytest.raises(Invalid) as caught:
        a_policy(
            reach,
            at_group(finance),
            acme,
            name=" ",
            expires_at=clock.now() - timedelta(minutes=1),
            schedule=({"day": 0, "start": "08:00", "end": "25:00"}, {"day": 7, "start": "08:00", "end": "09:00"}),
            users=("",),
            kill_running=True,
        )
    assert [fault.pointer for fault in caught.value.errors] == [
        "/name", "/expires_at", "/schedule/0/end", "/schedule/1", "/users/0", "/kill_running",
    ]  # fmt: skip


def test_global_scope_needs_its_own_capability(
    reach: Reach, northwind: Organization, all_windows: ComputerGroup, technician: object
) -> None:
    with reaching(factories.SYSTEM):
        staff = factories.person("Tina", "technician", northwind)
        allowed = factories.person("Gwen", "technician", northwind, may_act_globally=True)
        refused, permitted = factories.reach(staff), factories.reach(allowed)
    with reaching(refused):
        miners = an_application(refused, northwind, "Miners")
        with pytest.raises(Forbidden, match="global:write"):
            a_policy(refused, globally(refused, all_windows), miners, action=Action.DENY)
    with reaching(permitted):
        policy = a_policy(permitted, globally(permitted, all_windows), miners, action=Action.DENY)
    with reaching(reach):
        assert queries.policy(reach, policy.id).name == policy.name
        with pytest.raises(NotFound):
            authoring.set_enabled(reach, policy.id, enabled=False)
    with reaching(refused), pytest.raises(Forbidden, match="used by the global policy"):
        from policies import catalogue

        catalogue.update_application(refused, miners.id, name="Not miners")


def test_a_reader_cannot_write_and_a_stranger_finds_nothing(
    reach: Reach, finance: ComputerGroup, acme: Application, reader: object, stranger: object
) -> None:
    policy = a_policy(reach, at_group(finance), acme)
    with reaching(factories.SYSTEM):
        theirs, foreign = factories.reach(reader), factories.reach(stranger)  # type: ignore[arg-type]
    with reaching(theirs), pytest.raises(Forbidden, match="policy:write"):
        authoring.set_enabled(theirs, policy.id, enabled=False)
    with reaching(foreign):
        with pytest.raises(NotFound):
            authoring.set_enabled(foreign, policy.id, enabled=False)
        with pytest.raises(NotFound):
            a_policy(foreign, at_group(finance), acme)


def test_an_application_of_another_customer_cannot_be_named(
    owner_reach: Reach, finance: ComputerGroup, brisk_otter: Organization
) -> None:
    foreign = an_application(owner_reach, brisk_otter, "Otter Tools")
    with pytest.raises(Invalid, match="no such application"):
        a_policy(owner_reach, at_group(finance), foreign)


def test_an_application_for_another_system_is_refused(
    reach: Reach, able_moose: Organization, finance: ComputerGroup
) -> None:
    linux = an_application(reach, able_moose, "Acme Linux", os="linux", rules=[])
    with pytest.raises(Refused, match="run windows"):
        a_policy(reach, at_group(finance), linux)


def test_placing_beside_a_global_policy_goes_by_its_number(
    owner_reach: Reach, northwind: Organization, finance: ComputerGroup, able_moose: Organization
) -> None:
    miners = an_application(owner_reach, northwind, "Miners")
    acme = an_application(owner_reach, able_moose, "Acme")
    block = a_policy(owner_reach, globally(owner_reach, northwind), miners, action=Action.DENY)
    own = a_policy(owner_reach, at_group(finance), acme)
    after = a_policy(owner_reach, at_group(finance), acme, place=placing.after(block.id))
    assert orders(block, own, after) == [100_001, 100_001, 100_101]
    with pytest.raises(Refused, match="no free number before"):
        authoring.move_policy(owner_reach, own.id, place=placing.before(block.id))


def test_a_policy_changes_scope_within_its_organization_and_gives_way_to_a_taken_number(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, acme: Application
) -> None:
    here = a_policy(reach, at_group(finance), acme)
    there = a_policy(reach, at_organization(able_moose), acme, place=placing.at(100_001))
    moved = authoring.update_policy(
        reach, here.id, draft=replace(draft_of(here, [acme.id]), scope=at_organization(able_moose))
    )
    assert (moved.level, moved.target_id) == ("organization", able_moose.id)
    assert orders(there, moved) == [100_001, 100_101]
