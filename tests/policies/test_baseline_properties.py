"""Whatever happens to a baseline and its followers: each policy is what the baseline says, or is accounted for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import authoring, placing, queries
from policies.baselines import drift, exempting, lifecycle, publishing, reading
from policies.baselines.lifecycle import Place
from policies.baselines.planning import Exempt, Present, expected, out_of_order, plan
from policies.baselines.terms import CARRIED, Item, Terms
from policies.drafts import draft_of
from policies.engine import ordering
from policies.models import Action, Baseline, Policy, Subscription
from portal.common.errors import Conflict, Refused
from portal.tenants.models import Organization
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group

SYSTEM = factories.SYSTEM
LATER = reading.today() + timedelta(days=30)
_BLANK = dict.fromkeys(CARRIED, "") | {"enabled": True}
_numbers = st.integers(ordering.FIRST_CUSTOM, ordering.FIRST_CUSTOM + 12)
_texts = st.sampled_from(["a", "b", "c"])


def terms(text: str, *, enabled: bool = True) -> Terms:
    return Terms({**_BLANK, "name": text, "enabled": enabled}, ())


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Item], list[Present], dict[UUID, Exempt], set[int]]:
    """A baseline, what a follower happens to have of it, its exceptions, and the numbers of its other policies."""
    ids = [UUID(int=n) for n in range(1, 7)]
    orders = draw(st.lists(_numbers, min_size=1, max_size=6, unique=True))
    items = [Item(i, o, "custom", terms(draw(_texts))) for i, o in zip(ids, sorted(orders), strict=False)]
    at = draw(st.lists(_numbers, max_size=6, unique=True))
    has = [Present(UUID(int=n + 100), ids[n], o, "custom", terms(draw(_texts))) for n, o in enumerate(at)]
    kinds = draw(st.dictionaries(st.sampled_from(ids), st.sampled_from(["without", "changed"]), max_size=3))
    exempt = {i: Exempt(kind, terms("accepted", enabled=kind == "changed")) for i, kind in kinds.items()}
    taken = draw(st.sets(_numbers, max_size=5)) - set(at)
    return items, has, exempt, taken


def done(items: list[Item], has: list[Present], exempt: dict[UUID, Exempt], taken: set[int]) -> list[Present]:
    """What a follower has after the plan."""
    after = []
    for step in plan(items, has, exempt, taken, {}):
        if step.what in ("create", "change", "keep") and step.terms is not None:
            after.append(
                Present(step.present.id if step.present else step.source, step.source, step.order, "custom", step.terms)
            )
    return after


@given(scenes())
def test_a_plan_leaves_every_policy_in_step_and_in_order_on_numbers_of_its_own(
    scene: tuple[list[Item], list[Present], dict[UUID, Exempt], set[int]],
) -> None:
    items, has, exempt, taken = scene
    after = {one.source: one for one in done(items, has, exempt, taken)}
    assert set(after) == {item.source for item in items}
    numbers = [one.order for one in after.values()]
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & taken
    own = {source for source, e in exempt.items() if e.kind == "changed"}
    assert out_of_order(items, after, own) == set()
    for item in items:
        if item.source not in own:
            assert after[item.source].terms == expected(item, exempt.get(item.source))


@given(scenes())
def test_planning_again_changes_nothing(scene: tuple[list[Item], list[Present], dict[UUID, Exempt], set[int]]) -> None:
    items, has, exempt, taken = scene
    after = done(items, has, exempt, taken)
    assert [(step.what, step.moves) for step in plan(items, after, exempt, taken, {})] == [("keep", False)] * len(items)


_moves = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "edit",
                "switch",
                "add",
                "delete",
                "top",
                "carry",
                "without",
                "changed",
                "end",
                "accept",
                "put_back",
                "tamper",
            ]
        ),
        st.integers(0, 5),
        st.integers(0, 1),
    ),
    max_size=14,
)


@pytest.fixture
def followed(northwind: Organization, able_moose: Organization, brisk_otter: Organization) -> Baseline:
    made = lifecycle.create_baseline(SYSTEM, organization_id=northwind.id, name="Workstations", os="windows")
    for name in ("a", "b", "c"):
        application = an_application(SYSTEM, northwind, f"App {name}")
        a_policy(SYSTEM, at_group(made.source_group), application, name=f"org-{name}", action=Action.DENY)
    lifecycle.follow(SYSTEM, made.id, places=[Place(able_moose.id), Place(brisk_otter.id)])
    return made


class Actor:
    """Does one thing to a baseline or to one of its followers. What a rule refuses is not done."""

    def __init__(self, baseline: Baseline) -> None:
        self.id = baseline.id
        self.template = baseline.source_group
        self.count = 0

    def do(self, verb: str, which: int, whom: int) -> None:
        try:
            getattr(self, verb)(which, whom)
        except (Refused, Conflict, LookupError):
            return

    def source(self, which: int) -> Policy:
        rows = list(Policy.rows.filter(target_group=self.template).order_by("order"))
        return rows[which % len(rows)] if rows else _nothing()

    def at(self, whom: int) -> Subscription:
        return list(Subscription.rows.filter(baseline_id=self.id).order_by("id"))[whom]

    def edit(self, which: int, whom: int) -> None:
        policy = self.source(which)
        self.count += 1
        draft = draft_of(policy, queries.application_ids(SYSTEM, policy.id))
        authoring.update_policy(SYSTEM, policy.id, draft=replace(draft, description=f"words {self.count}"))

    def switch(self, which: int, whom: int) -> None:
        policy = self.source(which)
        authoring.set_enabled(SYSTEM, policy.id, enabled=not policy.enabled)

    def add(self, which: int, whom: int) -> None:
        self.count += 1
        application = queries.applications(SYSTEM).filter(name="App a").get()
        a_policy(SYSTEM, at_group(self.template), application, name=f"org-new-{self.count}")

    def delete(self, which: int, whom: int) -> None:
        authoring.delete_policy(SYSTEM, self.source(which).id)

    def top(self, which: int, whom: int) -> None:
        authoring.move_policy(SYSTEM, self.source(which).id, place=placing.TOP)

    def carry(self, which: int, whom: int) -> None:
        publishing.carry(SYSTEM, self.id, subscription_ids=[self.at(whom).id] if which % 2 else None)

    def without(self, which: int, whom: int) -> None:
        source = self.source(which).id
        exempting.make_exception(SYSTEM, self.at(whom).id, source, kind="without", reason="x", review_on=LATER)

    def changed(self, which: int, whom: int) -> None:
        self.count += 1
        exempting.make_exception(
            SYSTEM,
            self.at(whom).id,
            self.source(which).id,
            kind="changed",
            reason="x",
            review_on=LATER,
            changes={"users": [f"user {self.count}"]},
        )

    def _exception(self, which: int, whom: int) -> UUID:
        rows = list(reading.exceptions(SYSTEM).filter(subscription=self.at(whom)))
        return rows[which % len(rows)].id if rows else _nothing().id

    def end(self, which: int, whom: int) -> None:
        exempting.end_exception(SYSTEM, self._exception(which, whom))

    def accept(self, which: int, whom: int) -> None:
        exempting.accept(SYSTEM, self._exception(which, whom), review_on=LATER)

    def put_back(self, which: int, whom: int) -> None:
        exempting.put_back(SYSTEM, self.at(whom).id, [self.source(which).id])

    def tamper(self, which: int, whom: int) -> None:
        """Past every guard, as a fault in another program would."""
        mine = Policy.rows.filter(organization_id=self.at(whom).organization_id, linked_to__isnull=False)
        rows = list(mine.order_by("order"))
        if rows:
            self.count += 1
            Policy.rows.filter(id=rows[which % len(rows)].id).update(description=f"tampered {self.count}")


def _nothing() -> Policy:
    raise LookupError


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=_moves)
def test_every_follower_is_equal_to_the_baseline_or_has_an_exception_once_all_is_put_back(
    followed: Baseline, moves: list[tuple[str, int, int]]
) -> None:
    with transaction.atomic():
        actor = Actor(followed)
        for move in moves:
            actor.do(*move)
        publishing.carry(SYSTEM, followed.id)
        shown = drift.drift(SYSTEM, reading.baseline(SYSTEM, followed.id))
        for line in shown.lines:
            further = [cell.source for cell in line.cells if cell.state == "changed_further"]
            exempting.put_back(SYSTEM, line.subscription.id, further)
        shown = drift.drift(SYSTEM, reading.baseline(SYSTEM, followed.id))
        open_exceptions = {(e.subscription_id, e.source) for e in reading.exceptions(SYSTEM)}
        for line in shown.lines:
            states = {cell.source: cell.state for cell in line.cells}
            excepted = {source for at, source in open_exceptions if at == line.subscription.id}
            assert {source for source, state in states.items() if state == "exception"} == excepted
            assert {state for source, state in states.items() if source not in excepted} <= {"in_step"}
        transaction.set_rollback(True)
