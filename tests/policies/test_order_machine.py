"""Any sequence of writes keeps the list what it promises: ranges, one policy a number and scope, and, for whoever was
not moved, the same relative order as computers evaluate it; and undoing a step gives back exactly what was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from policies import authoring, bulk, placing, queries, undoing
from policies.catalogue import RuleDraft, create_application
from policies.drafts import PolicyDraft, draft_of
from policies.engine import ordering
from policies.models import Action, Application, Kind, Level, Policy, PolicyApplication, UndoStep
from policies.moving import RenumberingUnseen, reorder_policy
from policies.placing import Placement
from policies.scopes import Scope
from portal.accounts.models import User
from portal.common.errors import Conflict, Refused
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import at_group, at_organization, globally

RINGFENCE = {"network": {"mode": "enforce", "entries": []}}
EDGES = st.sampled_from([0, 1, 2, 3, 50, 99, 100, 101, 150, 200, 201, 300])


class World:
    """One customer with several scopes beneath an MSP with global policies, and an application of each kind."""

    def __init__(self, reach: Reach, scopes: dict[str, Scope], applications: dict[str, dict[Kind, UUID]]) -> None:
        self.reach, self.scopes, self.applications = reach, scopes, applications

    def draft(self, scope: str, kind: Kind, action: Action) -> PolicyDraft:
        owner = "msp" if scope.startswith("global") else "moose"
        fence = RINGFENCE if action == Action.PERMIT_RINGFENCED else None
        return PolicyDraft(
            name=f"{scope}-{kind}-{action}",
            scope=self.scopes[scope],
            applications=(self.applications[owner][kind],),
            action=action,
            ringfence=fence,
        )


@pytest.fixture
def world(
    owner: User, northwind: Organization, able_moose: Organization, finance: ComputerGroup, fin_01: Computer,
    all_windows: ComputerGroup,
) -> Iterator[World]:  # fmt: skip
    sales = factories.group(able_moose, "Sales")
    edge = Application.rows.create(kind=Kind.BUILTIN, name="Microsoft Edge", catalogue_key="edge", os="windows")
    mine = factories.reach(owner)
    with reaching(mine):
        made = {
            name: create_application(
                mine, organization_id=of.id, name=name, os="windows", rules=[RuleDraft(path=rf"c:\{name}\*")]
            )
            for name, of in (("msp", northwind), ("moose", able_moose))
        }
        scopes = {
            "global": globally(mine, northwind), "global-group": globally(mine, all_windows),
            "organization": at_organization(able_moose), "finance": at_group(finance), "sales": at_group(sales),
            "computer": replace(at_group(finance), level=Level.COMPUTER, target=fin_01.id),
        }  # fmt: skip
        yield World(mine, scopes, {name: {Kind.CUSTOM: app.id, Kind.BUILTIN: edge.id} for name, app in made.items()})


class PolicyList(RuleBasedStateMachine):
    """Drives the activities that screens and API call. `world` is set by the test; each run is rolled back."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(RolledBack())
        self.reach = self.world.reach
        self.steps: list[tuple[UUID, dict[UUID, tuple[Any, ...]]]] = []

    def teardown(self) -> None:
        self.stack.close()

    # -- what is looked at ----------------------------------------------------------------------------------

    def rows(self) -> dict[UUID, Policy]:
        return {p.id: p for p in Policy.objects.within(self.reach).filter(is_default=False)}

    def columns(self) -> dict[UUID, tuple[Any, ...]]:
        """All of every policy that a person can see, with its applications."""
        links: dict[UUID, list[UUID]] = {}
        for link in PolicyApplication.objects.within(self.reach).order_by("position", "id"):
            links.setdefault(link.policy_id, []).append(link.application_id)
        return {
            p.id: (p.order, p.enabled, p.status, p.name, p.action, p.scope_key, p.number, p.created_at,
                   links.get(p.id))
            for p in map(_with_scope_key, self.rows().values())
        }  # fmt: skip

    def pick(self, data: st.DataObject) -> Policy:
        return data.draw(st.sampled_from(sorted(self.rows().values(), key=lambda p: (p.order, p.id))), "policy")

    def keeping_order(self, write: Callable[[], Any], *moved: UUID) -> Any:
        """Do it; whoever was there before, is there after and was not `moved`, stands in the same relative order."""
        before = self.walk()
        with transaction.atomic():
            done = write()
        after = self.walk()
        changed = set(moved) | set(before) ^ set(after)
        for own in (self.visible_to_customer, self.visible_to_msp):
            was = [one for one in before if one not in changed and own(before[one])]
            now = [one for one in after if one not in changed and own(after[one])]
            assert was == now
        return done

    def walk(self) -> dict[UUID, Policy]:
        rows = self.rows().values()
        return {p.id: p for p in sorted(rows, key=lambda p: ordering.evaluation_key(p, True))}  # type: ignore[arg-type]

    def visible_to_customer(self, policy: Policy) -> bool:
        """The global list moves on its own; only while it rests is the customer's whole list compared."""
        return not self.global_moved or policy.organization_id != self.msp

    def visible_to_msp(self, policy: Policy) -> bool:
        return policy.organization_id == self.msp

    @property
    def msp(self) -> UUID:
        return self.world.scopes["global"].organization_id

    global_moved = False
    nothing_since = False

    def write(self, organization_id: UUID, write: Callable[[], Any], *moved: UUID) -> Any:
        """A write in one organization, which may refuse; then nothing at all has changed."""
        self.global_moved = organization_id == self.msp
        was = self.columns()
        seen = set(UndoStep.objects.within(self.reach).values_list("id", flat=True))
        try:
            done = self.keeping_order(write, *moved)
        except (Refused, Conflict):
            assert self.columns() == was
            return None
        new = UndoStep.objects.within(self.reach).exclude(id__in=seen).order_by("created_at", "id")
        self.steps += [(step.id, was) for step in new]
        self.nothing_since = len(new) == 1
        return done

    # -- what people do -------------------------------------------------------------------------------------

    @rule(
        scope=st.sampled_from(["global", "global-group", "organization", "finance", "sales", "computer"]),
        kind=st.sampled_from([Kind.CUSTOM, Kind.CUSTOM, Kind.BUILTIN]),
        action=st.sampled_from(list(Action)),
        where=st.sampled_from(["top", "bottom", "number", "beside"]),
        edge=EDGES,
        data=st.data(),
    )
    def create(self, scope: str, kind: Kind, action: Action, where: str, edge: int, data: st.DataObject) -> None:
        place = self.place(where, kind, edge, data)
        draft = self.world.draft(scope, kind, action)
        self.write(draft.scope.organization_id, lambda: authoring.create_policy(self.reach, draft=draft, place=place))

    def place(self, where: str, kind: Kind, edge: int, data: st.DataObject) -> Placement:
        own = ordering.range_of(builtin=kind == Kind.BUILTIN)
        rows = [p for p in self.rows().values() if p.kind == kind]
        if where == "number" or (where == "beside" and not rows):
            return placing.at(data.draw(st.sampled_from([own.first + edge, own.last - edge]), "number"))
        if where == "beside":
            other = data.draw(st.sampled_from(sorted(rows, key=lambda p: (p.order, p.id))), "beside")
            return data.draw(st.sampled_from([placing.before, placing.after]))(other.id)
        return placing.TOP if where == "top" else placing.BOTTOM

    @precondition(lambda self: self.rows())
    @rule(data=st.data(), where=st.sampled_from(["top", "bottom", "number", "beside", "beside"]), edge=EDGES)
    def move(self, data: st.DataObject, where: str, edge: int) -> None:
        policy = self.pick(data)
        place = self.place(where, Kind(policy.kind), edge, data)
        before = self.columns()
        try:
            with transaction.atomic():
                reorder_policy(self.reach, policy.id, place=place, agreed="")
                transaction.set_rollback(True)
        except RenumberingUnseen as told:
            asked = told
            assert self.columns() == before
            assert [one.old for one in asked.renumbered] == [before[one.id][0] for one in asked.renumbered]
            self.write(policy.organization_id, lambda: self.agreed(policy, place, asked), policy.id)
            return
        except (Refused, Conflict):
            pass
        moved = self.write(
            policy.organization_id, lambda: reorder_policy(self.reach, policy.id, place=place, agreed=""), policy.id
        )
        if moved is not None and place.where in ("before", "after"):
            self.stands_beside(policy.id, place)

    def agreed(self, policy: Policy, place: Placement, asked: RenumberingUnseen) -> None:
        """What was shown is exactly what happens."""
        move = reorder_policy(self.reach, policy.id, place=place, agreed=asked.fingerprint)
        assert (move.policy.order, move.renumbered) == (asked.order, asked.renumbered)
        if place.where in ("before", "after"):
            self.stands_beside(policy.id, place)

    def stands_beside(self, policy_id: UUID, place: Placement) -> None:
        walked = list(self.walk())
        assert place.other is not None
        is_before = walked.index(policy_id) < walked.index(place.other)
        assert is_before == (place.where == "before")

    @precondition(lambda self: self.rows())
    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        source = self.pick(data)
        draft = draft_of(source, queries.application_ids(self.reach, source.id))
        draft = replace(draft, name=f"{draft.name} copy", enabled=False)
        place = placing.after(source.id)
        self.write(source.organization_id, lambda: authoring.create_policy(self.reach, draft=draft, place=place))

    @precondition(lambda self: self.rows())
    @rule(data=st.data(), change=st.sampled_from([bulk.enable_policies, bulk.disable_policies, bulk.delete_policies]))
    def change_some(self, data: st.DataObject, change: Callable[..., Any]) -> None:
        first = self.pick(data)
        same = sorted(p.id for p in self.rows().values() if p.organization_id == first.organization_id)
        ids = data.draw(st.lists(st.sampled_from(same), min_size=1, max_size=4, unique=True), "ids")
        self.write(first.organization_id, lambda: change(self.reach, ids, organization_id=first.organization_id))

    @precondition(lambda self: self.steps and self.nothing_since)
    @rule()
    def undo_the_last(self) -> None:
        """Nothing was written since: it must succeed, and give back exactly what was."""
        step, was = self.steps.pop()
        with transaction.atomic():
            undoing.undo(self.reach, step)
        assert self.columns() == was
        self.nothing_since = False

    @precondition(lambda self: len(self.steps) > 1)
    @rule(data=st.data())
    def undo_an_older(self, data: st.DataObject) -> None:
        """It puts back what it touched and nothing else, or refuses and leaves everything as it is."""
        at = data.draw(st.integers(0, len(self.steps) - 2), "step")
        step, was = self.steps[at]
        now = self.columns()
        try:
            with transaction.atomic():
                undoing.undo(self.reach, step)
        except Conflict:
            assert self.columns() == now
            return
        after = self.columns()
        touched = {one for one in {*now, *after} if now.get(one) != after.get(one)}
        assert touched
        for one in touched:
            for then, before, here in zip(*(rows.get(one, (None,) * 9) for rows in (was, now, after)), strict=True):
                assert here in (then, before)
        self.steps = []  # later ones were about a list that is no more; undoing refuses or not, told elsewhere

    # -- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def every_number_is_in_its_range_and_once_a_scope(self) -> None:
        seen: set[tuple[Any, ...]] = set()
        for policy in map(_with_scope_key, self.rows().values()):
            assert policy.order in ordering.range_of(builtin=policy.kind == Kind.BUILTIN)
            key = (policy.scope_key, policy.order)
            assert key not in seen
            seen.add(key)


def _with_scope_key(policy: Policy) -> Any:
    policy.scope_key = (policy.level, str(policy.target_id))  # type: ignore[attr-defined]
    return policy


class RolledBack(AbstractContextManager[None]):
    """A transaction whose every write is gone at its end."""

    def __enter__(self) -> None:
        self.block = transaction.atomic()
        self.block.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)


def test_the_list_keeps_what_it_promises(world: World) -> None:
    machine = type("PolicyListOfWorld", (PolicyList,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=14,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),  # shrinking so many statements takes longer than reading them
            database=None,
        ),
    )
