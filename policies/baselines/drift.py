"""How far followers are from their baseline: each policy of each follower, measured against what was accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from policies.baselines import reading
from policies.baselines.followers import Follower, Following, exempt_of, load_following
from policies.baselines.planning import expected, out_of_order
from policies.baselines.terms import Item, differing
from policies.models import Baseline, BaselineException, ExceptionKind, Subscription
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

State = Literal["in_step", "exception", "changed_further", "drifted", "missing", "misfit", "not_carried", "none"]

STATES: dict[str, str] = {
    "in_step": "In step",
    "exception": "Exception",
    "changed_further": "Changed further since accepted",
    "drifted": "Changed without an exception",
    "missing": "Missing",
    "misfit": "Application misfit",
    "not_carried": "Not carried yet",
    "none": "Not of this follower",
}
QUIET = frozenset({"in_step", "none"})
AMISS = frozenset({"changed_further", "drifted", "missing", "misfit"})
COLUMNS = (
    "organization", "group", "policy", "state", "detail", "version", "exception", "reason", "review_on", "due",
    "accepted_by", "accepted_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """One policy of one follower. `detail`: what differs, in words. `policy_id`: the follower's own row."""

    source: UUID
    name: str
    state: State
    detail: str = ""
    policy_id: UUID | None = None
    exception: BaselineException | None = None
    due: bool = False

    @property
    def label(self) -> str:
        return STATES[self.state]

    @property
    def is_amiss(self) -> bool:
        return self.state in AMISS


@dataclass(frozen=True, slots=True)
class Line:
    """A follower and its cells, in the order of the columns."""

    subscription: Subscription
    cells: tuple[Cell, ...]

    @property
    def is_in_step(self) -> bool:
        return all((cell.state in QUIET or cell.state == "exception") and not cell.due for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Drift:
    """`columns`: the baseline's policies in their order, then those that only followers have still. `unpublished`:
    its template says something that no version says."""

    baseline: Baseline
    columns: tuple[Item, ...]
    lines: tuple[Line, ...]
    unpublished: bool

    @property
    def counts(self) -> Mapping[str, int]:
        return Counter(cell.state for line in self.lines for cell in line.cells)

    @property
    def due(self) -> int:
        return sum(cell.due for line in self.lines for cell in line.cells)

    @property
    def amiss(self) -> int:
        return sum(cell.is_amiss for line in self.lines for cell in line.cells)


def drift(
    reach: Reach, baseline: Baseline, *, subscriptions: Iterable[Subscription] | None = None, state: str = ""
) -> Drift:
    """The matrix of the followers in reach; with `state` only those with such a cell (`due` and `amiss` are taken,
    too). A number of statements that does not grow with them."""
    if subscriptions is None:
        subscriptions = reading.subscriptions(reach, baseline_id=baseline.id)
    following = load_following(reach, baseline, subscriptions)
    columns = _columns(following)
    today = reading.today()
    lines = [Line(f.subscription, tuple(_cells(following, f, columns, today))) for f in following.followers]
    if state:
        lines = [line for line in lines if any(_is(cell, state) for cell in line.cells)]
    newest = following.versions.get(baseline.version, [])
    unpublished = following.live is not None and following.live != newest
    return Drift(baseline, tuple(columns), tuple(lines), unpublished)


def exported(reach: Reach, found: Drift, organization: Organization) -> Iterator[tuple[object, ...]]:
    """The cells as rows of a spreadsheet, in the order of COLUMNS. Who took them out stands in the System Audit of the
    organization where that was."""
    journal.record(reach, "baseline.exported", found.baseline, organization_id=organization.id)
    return _rows(found)


def _rows(found: Drift) -> Iterator[tuple[object, ...]]:
    """The cells as rows of a spreadsheet, in the order of COLUMNS."""
    for line in found.lines:
        subscription = line.subscription
        for cell in line.cells:
            if cell.state == "none":
                continue
            e = cell.exception
            yield (
                subscription.organization.name, subscription.target_group.name if subscription.target_group else "",
                cell.name, cell.label, cell.detail, subscription.version, e.get_kind_display() if e else "",
                e.reason if e else "", e.review_on if e else "", "yes" if cell.due else "",
                e.accepted_by if e else "", e.accepted_at if e else "",
            )  # fmt: skip


def _is(cell: Cell, state: str) -> bool:
    if state == "due":
        return cell.due
    return cell.is_amiss if state == "amiss" else cell.state == state


def _columns(following: Following) -> list[Item]:
    newest = following.versions.get(following.baseline.version, [])
    columns = list(following.live if following.live is not None else newest)
    known = {item.source for item in columns}
    for number in sorted({f.subscription.version for f in following.followers}, reverse=True):
        for item in following.versions.get(number, []):
            if item.source not in known:
                known.add(item.source)
                columns.append(item)
    return columns


def _cells(following: Following, follower: Follower, columns: list[Item], today: date) -> Iterator[Cell]:
    has = following.versions.get(follower.subscription.version, [])
    base = {item.source: item for item in has}
    newest = following.live if following.live is not None else following.versions.get(following.baseline.version, [])
    now = {item.source: item for item in newest}
    free = {s for s, e in follower.exceptions.items() if e.kind == ExceptionKind.CHANGED}
    misplaced = out_of_order(has, follower.present, free)
    misfits = following.ground.misfits(follower.subscription.organization_id, [*has, *newest])
    for column in columns:
        source = column.source
        exception = follower.exceptions.get(source)
        if exception is not None:
            yield _exempt(following, follower, column, exception, today)
        else:
            yield _plain(
                follower, column, base.get(source), now.get(source), source in misplaced, misfits.get(source, "")
            )


def _exempt(following: Following, follower: Follower, column: Item, exception: BaselineException, today: date) -> Cell:
    """A policy with an exception: against what was accepted."""
    source, one = column.source, follower.present.get(column.source)
    has = {item.source: item for item in following.versions.get(follower.subscription.version, [])}
    at_acceptance = {item.source: item for item in following.versions.get(exception.version, [])}
    due = exception.review_on <= today
    base = has.get(source)
    detail = ""
    if one is not None and base is not None:
        detail = ", ".join(_said(name) for name in differing(one.terms, expected(base, exempt_of(exception))))
        if exception.kind == ExceptionKind.WITHOUT and source in follower.armed:
            detail = "armed"
    if one is None and exception.kind == ExceptionKind.CHANGED:
        detail = "deleted here"
    if detail:
        return Cell(source, column.name, "changed_further", detail, one.id if one else None, exception, due)
    then = at_acceptance.get(source)
    moved = then is not None and then.terms != column.terms and exception.kind == ExceptionKind.CHANGED
    note = "the baseline has changed it since" if moved else ""
    return Cell(source, column.name, "exception", note, one.id if one else None, exception, due)


def _plain(follower: Follower, column: Item, base: Item | None, now: Item | None, misplaced: bool, misfit: str) -> Cell:
    """A policy without an exception: against the version that the follower has."""
    source, one = column.source, follower.present.get(column.source)
    policy_id = one.id if one else None
    if misfit:
        return Cell(source, column.name, "misfit", misfit, policy_id)
    if base is None:
        return Cell(source, column.name, "not_carried" if now else "none", "new" if now else "")
    if one is None:
        return Cell(source, column.name, "missing", "deleted here")
    differs = [_said(name) for name in differing(one.terms, base.terms)] + (["order"] if misplaced else [])
    if differs:
        return Cell(source, column.name, "drifted", ", ".join(differs), policy_id)
    if now is None:
        return Cell(source, column.name, "not_carried", "removed from the baseline", policy_id)
    ahead = [_said(name) for name in differing(base.terms, now.terms)] + (["order"] if base.order != now.order else [])
    if ahead:
        return Cell(source, column.name, "not_carried", ", ".join(ahead), policy_id)
    return Cell(source, column.name, "in_step", "", policy_id)


def _said(name: str) -> str:
    return name.replace("_", " ")
