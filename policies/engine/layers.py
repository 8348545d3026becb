"""Policies by the target they live at. Nothing is merged per group or per computer: a computer reads a few layers."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from policies.engine.decision import SkipReason
from policies.engine.model import Place, Policy
from policies.engine.normal_form import normal_user
from policies.engine.ordering import evaluation_key
from policies.engine.schedule import UnreadableSchedule, check_schedule, is_open

_MEMO_PLACES = 4_096


class Standing:
    """A policy prepared for judging: its rank among all policies (lower wins), and when it counts."""

    __slots__ = ("always", "policy", "rank_builtin_first", "rank_custom_first", "readable", "users")

    def __init__(self, policy: Policy, os: str) -> None:
        self.policy = policy
        self.rank_builtin_first = 0
        self.rank_custom_first = 0
        self.users = frozenset(normal_user(user, os) for user in policy.users)
        self.readable = _schedule_is_readable(policy)
        dated = policy.starts_at is not None or policy.expires_at is not None
        self.always = policy.enabled and not (dated or policy.schedule or policy.users)

    def rank(self, prioritize_builtin: bool) -> int:
        return self.rank_builtin_first if prioritize_builtin else self.rank_custom_first

    def skip_reason(self, user: str, at_ms: int) -> SkipReason | None:
        """Why it does not count for this user at this instant; None when it does.

        A schedule that cannot be read counts as whatever is stricter: a permit is skipped, anything else is reached
        and becomes an evaluation error.
        """
        policy = self.policy
        if self.always:
            return None
        if not policy.enabled:
            return SkipReason.DISABLED
        if policy.starts_at is not None and at_ms < policy.starts_at:
            return SkipReason.NOT_STARTED
        if policy.expires_at is not None and at_ms >= policy.expires_at:
            return SkipReason.EXPIRED
        if self.users and user not in self.users:
            return SkipReason.OTHER_USER
        if not policy.schedule:
            return None
        if not self.readable:
            return SkipReason.UNREADABLE_SCHEDULE if policy.action == "permit" else None
        open_now = is_open(policy.schedule, policy.time_zone, at_ms)
        return None if open_now else SkipReason.OUTSIDE_SCHEDULE


def _schedule_is_readable(policy: Policy) -> bool:
    try:
        check_schedule(policy.schedule, policy.time_zone)
    except UnreadableSchedule:
        return False
    return True


@dataclass(slots=True)
class Layer:
    """The policies of one target. `suspects` hold an application with a rule that cannot be read."""

    by_application: dict[str, list[Standing]] = field(default_factory=dict)
    defaults: list[Standing] = field(default_factory=list)
    suspects: list[Standing] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chain:
    """What one computer walks, layer by layer, in no order: `rank` sorts."""

    tables: tuple[dict[str, list[Standing]], ...]
    suspects: tuple[Standing, ...]
    standings: tuple[Standing, ...]
    default_builtin_first: Standing | None
    default_custom_first: Standing | None

    def default(self, prioritize_builtin: bool) -> Standing | None:
        """The Default Deny that comes first."""
        return self.default_builtin_first if prioritize_builtin else self.default_custom_first


class Layers:
    """All policies of an engine. `chain` gives those of one computer."""

    def __init__(self, policies: Iterable[Policy], os: str, unreadable: Set[str]) -> None:
        """`unreadable` names the applications with a rule that cannot be read: their policies become suspects."""
        self._layers: dict[tuple[str, str], Layer] = {}
        self._chains: dict[Place, Chain] = {}
        standings = [Standing(policy, os) for policy in policies]
        _rank(standings)
        for standing in standings:
            self._place(standing, unreadable)

    def _place(self, standing: Standing, unreadable: Set[str]) -> None:
        policy = standing.policy
        layer = self._layers.setdefault((policy.level, policy.target), Layer())
        layer.standings.append(standing)
        if policy.is_default:
            layer.defaults.append(standing)
            return
        for application in dict.fromkeys(policy.applications):
            layer.by_application.setdefault(application, []).append(standing)
        if not unreadable or unreadable.isdisjoint(policy.applications):
            return
        layer.suspects.append(standing)

    def chain(self, place: Place) -> Chain:
        """The policies that apply to a computer: its own, its group's, its organization's, the global ones above."""
        chain = self._chains.get(place)
        if chain is None:
            if len(self._chains) >= _MEMO_PLACES:
                self._chains.clear()
            chain = self._chains[place] = self._chain(place)
        return chain

    def _chain(self, place: Place) -> Chain:
        keys = [
            ("computer", place.computer),
            ("group", place.group),
            ("organization", place.organization),
            *(("global", target) for target in dict.fromkeys((place.organization, *place.above))),
        ]
        layers = [layer for key in keys if (layer := self._layers.get(key)) is not None]
        defaults = [standing for layer in layers for standing in layer.defaults]
        return Chain(
            tables=tuple(layer.by_application for layer in layers),
            suspects=tuple(standing for layer in layers for standing in layer.suspects),
            standings=tuple(standing for layer in layers for standing in layer.standings),
            default_builtin_first=min(defaults, key=lambda one: one.rank_builtin_first, default=None),
            default_custom_first=min(defaults, key=lambda one: one.rank_custom_first, default=None),
        )


def _rank(standings: list[Standing]) -> None:
    for rank, standing in enumerate(sorted(standings, key=lambda one: evaluation_key(one.policy, True))):
        standing.rank_builtin_first = rank
    for rank, standing in enumerate(sorted(standings, key=lambda one: evaluation_key(one.policy, False))):
        standing.rank_custom_first = rank
