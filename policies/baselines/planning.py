"""What makes a follower what its baseline says: worked out here, shown by the preview and done by carrying. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from policies.baselines.terms import Item, Terms, differing
from policies.engine import ordering
from policies.models import ExceptionKind, Kind

What = Literal["create", "change", "remove", "release", "keep", "misfit"]


@dataclass(frozen=True, slots=True)
class Present:
    """A policy that a follower has of its baseline."""

    id: UUID
    source: UUID
    order: int
    kind: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Exempt:
    """An exception in force, and what was accepted."""

    kind: str
    accepted: Terms


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one policy of a follower.

    `terms` and `order`: what it says and where it stands afterwards. `misfit`: why it cannot be had there.
    `differs`: the columns that change. `release`: the baseline has it no more, an exception keeps it as the
    follower's own.
    """

    what: What
    source: UUID
    name: str
    item: Item | None = None
    present: Present | None = None
    terms: Terms | None = None
    order: int = 0
    differs: tuple[str, ...] = ()
    misfit: str = ""
    exempt: bool = False

    @property
    def moves(self) -> bool:
        return self.present is not None and self.what in ("keep", "change") and self.order != self.present.order

    @property
    def displaced(self) -> bool:
        """It cannot have the baseline's number here: another policy has it."""
        return self.what != "misfit" and self.item is not None and not self.exempt and self.order != self.item.order


class NoRoom(Exception):
    """The baseline's policies do not fit into the range beside the follower's own."""


def plan(
    items: Sequence[Item],
    present: Iterable[Present],
    exempt: Mapping[UUID, Exempt],
    taken: Collection[int],
    misfits: Mapping[UUID, str],
    restore: Collection[UUID] = (),
) -> list[Step]:
    """The steps that bring a follower to `items`, in their order, then those for what the baseline has no more.

    `taken`: numbers of other policies at the same target. `misfits`: source -> why it cannot be had there.
    `restore`: exceptions that go back to what was accepted; others stay as they have become. Raises NoRoom.

    Planning again after the steps are done gives steps that all keep, without a move.
    """
    have = {one.source: one for one in present}
    steps = [
        _step(i, have.get(i.source), exempt.get(i.source), misfits.get(i.source, ""), restored=i.source in restore)
        for i in items
    ]
    steps = _placed(steps, set(taken))
    gone = [one for source, one in have.items() if source not in {item.source for item in items}]
    for one in sorted(gone, key=lambda p: (p.order, str(p.source))):
        own = exempt.get(one.source)
        released = own is not None and own.kind == ExceptionKind.CHANGED
        what: What = "release" if released else "remove"
        steps.append(Step(what, one.source, one.terms.name, present=one, terms=one.terms, order=one.order))
    return steps


def expected(item: Item, exempt: Exempt | None) -> Terms:
    """What a follower's policy says when it is in step."""
    if exempt is None:
        return item.terms
    return item.terms.switched_off() if exempt.kind == ExceptionKind.WITHOUT else exempt.accepted


def out_of_order(items: Sequence[Item], present: Mapping[UUID, Present], free: Collection[UUID]) -> set[UUID]:
    """Of policies that must stand in the baseline's order those that do not. `free`: may stand anywhere."""
    found = set()
    for kind in Kind:
        last = 0
        for item in sorted(items, key=lambda i: i.order):
            one = present.get(item.source)
            if item.kind != kind or one is None or item.source in free:
                continue
            if one.order <= last:
                found.add(item.source)
            last = max(last, one.order)
    return found


def _step(item: Item, one: Present | None, exempt: Exempt | None, misfit: str, *, restored: bool) -> Step:
    own = exempt is not None and exempt.kind == ExceptionKind.CHANGED
    if misfit and not (own and one is not None):
        return Step("misfit", item.source, item.name, item, one, misfit=misfit, order=one.order if one else 0)
    terms = expected(item, exempt)
    if own and one is not None and not restored:
        terms = one.terms  # what it became since it was accepted is for people to judge: drift shows it
    order = one.order if own and one is not None else item.order
    if one is None:
        return Step("create", item.source, item.name, item, None, terms, order, exempt=own)
    differs = tuple(differing(one.terms, terms))
    return Step("change" if differs else "keep", item.source, item.name, item, one, terms, order, differs, exempt=own)


def _placed(steps: list[Step], taken: set[int]) -> list[Step]:
    """The steps with numbers that are free: the baseline's own where nobody has it, else the next ones, in order."""
    fixed = {s.order for s in steps if (s.exempt and s.present) or (s.what == "misfit" and s.present)}
    last = dict.fromkeys(Kind.values, 0)
    placed = []
    for step in steps:
        if step.item is None or step.what == "misfit" or (step.exempt and step.present):
            placed.append(step)
            continue
        kind = step.item.kind
        order = max(step.item.order, last[kind] + 1)
        while order in taken or order in fixed:
            order += 1
        if order > ordering.range_of(builtin=kind == Kind.BUILTIN).last:
            raise NoRoom(step.name)
        last[kind] = order
        placed.append(replace(step, order=order))
    return placed
