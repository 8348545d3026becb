"""Where each computer of an organization stands, in which mode, under which agent settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from django.db.models import Q

from policies.engine.model import Mode, Place
from policies.models import AgentSetting, Level, ModeWindow, SettingName
from portal.common import clock
from portal.common.errors import NotFound
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

_TARGETS = ("target_organization", "target_group", "target_computer")
_NEARNESS = {Level.COMPUTER: 0, Level.GROUP: 1, Level.ORGANIZATION: 2, Level.GLOBAL: 3}


@dataclass(frozen=True, slots=True)
class SettingsInForce:
    """The agent settings of one computer. `*_from` is the setting that says so, None when none does.

    `checkin_seconds` None: as the portal is configured.
    """

    prioritize_builtin: bool = True
    prioritize_from: AgentSetting | None = None
    checkin_seconds: int | None = None
    checkin_from: AgentSetting | None = None
    log_permits: bool = True
    log_from: AgentSetting | None = None


@dataclass(frozen=True, slots=True)
class ModeInForce:
    """The mode of one computer at an instant. `after` is what follows when it ends.

    `window` is the id of the mode window, empty without one. `from_group`: it is the group's, not its own.
    """

    mode: Mode = "secured"
    started_at: datetime | None = None
    ends_at: datetime | None = None
    window: str = ""
    after: Literal["secured", "monitor_only"] = "secured"
    from_group: bool = False


SECURED = ModeInForce()


@dataclass(slots=True)
class Places:
    """What decides a computer's place. `ancestors`: organizations above, nearest first.

    `global_groups`: those of this organization and of all above. Methods take rows of `Computer` and read only
    their own columns.
    """

    organization: Organization
    ancestors: tuple[UUID, ...]
    groups: dict[UUID, ComputerGroup]
    global_groups: tuple[ComputerGroup, ...]
    settings: tuple[AgentSetting, ...]
    windows: dict[UUID, ModeWindow]
    names: dict[UUID, str]
    _above: dict[tuple[UUID, str], tuple[str, ...]] = field(default_factory=dict)
    _settings: dict[tuple[UUID, UUID | None, str], SettingsInForce] = field(default_factory=dict)
    _own_settings: frozenset[UUID] = frozenset()

    def __post_init__(self) -> None:
        self._own_settings = frozenset(s.target_computer_id for s in self.settings if s.target_computer_id)

    def place_of(self, computer: Computer, at: datetime | None = None) -> Place:
        """Where `computer` stands at `at` (now, when not given), in the mode that holds then."""
        return Place(
            computer=str(computer.id),
            group=str(computer.group_id),
            organization=str(self.organization.id),
            above=self.above(computer.group_id, computer.os),
            mode=self.mode_of(computer, at).mode,
            prioritize_builtin=self.settings_of(computer).prioritize_builtin,
            os=computer.os,
        )

    def place_in(self, group: ComputerGroup, at: datetime | None = None) -> Place:
        """Where any computer of `group` without policies of its own stands."""
        return Place(
            computer="",
            group=str(group.id),
            organization=str(self.organization.id),
            above=self.above(group.id, group.os),
            mode=self._group_mode(group.id, at or clock.now()).mode,
            prioritize_builtin=self._settings_for(group.id, None, group.os).prioritize_builtin,
            os=group.os,
        )

    def above(self, group_id: UUID, os: str) -> tuple[str, ...]:
        """Ids of the organizations above, then of the global groups that hold a computer of this group and os."""
        key = (group_id, os)
        if key not in self._above:
            held = [g.id for g in self.global_groups if holds(g, self.groups.get(group_id), os)]
            self._above[key] = tuple(map(str, (*self.ancestors, *held)))
        return self._above[key]

    def settings_of(self, computer: Computer) -> SettingsInForce:
        own = computer.id if computer.id in self._own_settings else None
        return self._settings_for(computer.group_id, own, computer.os)

    def settings_in(self, group: ComputerGroup) -> SettingsInForce:
        """What holds for computers of `group` without a setting of their own."""
        return self._settings_for(group.id, None, group.os)

    def organization_settings(self) -> SettingsInForce:
        """What holds in the whole organization, as far as no group or computer has a setting of its own."""
        return _in_force(self.organization_rows())

    def organization_rows(self) -> list[AgentSetting]:
        """Every setting that holds for the whole organization."""
        line = {self.organization.id, *self.ancestors}
        return [s for s in self.settings if s.target_organization_id in line]

    def _settings_for(self, group_id: UUID, computer_id: UUID | None, os: str) -> SettingsInForce:
        key = (group_id, computer_id, os)
        if key not in self._settings:
            self._settings[key] = _in_force(self.settings_at(group_id, computer_id, os))
        return self._settings[key]

    def settings_at(self, group_id: UUID, computer_id: UUID | None, os: str) -> list[AgentSetting]:
        """Every setting whose scope holds such a computer, of several with one name all of them."""
        targets = {
            (Level.COMPUTER, str(computer_id)),
            (Level.GROUP, str(group_id)),
            (Level.ORGANIZATION, str(self.organization.id)),
            (Level.GLOBAL, str(self.organization.id)),
            *((Level.GLOBAL, target) for target in self.above(group_id, os)),
        }
        return [s for s in self.settings if (Level(s.level), str(s.target_id)) in targets]

    def mode_of(self, computer: Computer, at: datetime | None = None) -> ModeInForce:
        """The computer's own mode while it lasts, else its group's, else secured."""
        at = at or clock.now()
        group = self._group_mode(computer.group_id, at)
        own = _mode(computer, self.windows.get(computer.id), at)
        if own is SECURED:
            return group if group is SECURED else replace(group, from_group=True)
        follows = group.mode == "monitor_only" and group.ends_at is None
        return replace(own, after="monitor_only") if follows else own

    def _group_mode(self, group_id: UUID, at: datetime) -> ModeInForce:
        group = self.groups.get(group_id)
        return SECURED if group is None else _mode(group, self.windows.get(group_id), at)


def holds(global_group: ComputerGroup, own_group: ComputerGroup | None, os: str) -> bool:
    """Whether a global group holds the computers of `own_group` with this operating system.

    All of its operating system; of those, when it has a prefix, the ones whose group's name begins with it.
    """
    if global_group.os != os:
        return False
    prefix = global_group.name_prefix.casefold()
    return not prefix or (own_group is not None and own_group.name.casefold().startswith(prefix))


def load_places(reach: Reach, organization_id: UUID, *, with_windows: bool = False) -> Places:
    """Read what decides the places of one organization's computers. Raises NotFound.

    Reads as the system: a computer's place hangs on groups and settings above, whoever asks. Without the mode
    windows (there may be one for each computer) `mode_of` knows mode and end, but not since when.
    """
    if not reach.sees(organization_id):
        raise NotFound
    with reaching(system_reach("where computers stand")) as system:
        tree = {o.id: o for o in Organization.objects.within(system)}
        if organization_id not in tree:
            raise NotFound
        ancestors = tuple(_ancestors(tree, organization_id))
        line = (organization_id, *ancestors)
        groups = list(
            ComputerGroup.objects.within(system).filter(
                Q(organization_id=organization_id) | Q(organization_id__in=ancestors, is_global=True)
            )
        )
        settings = AgentSetting.objects.within(system).filter(
            Q(organization_id=organization_id) | Q(organization_id__in=ancestors, level=Level.GLOBAL)
        )
        windows = ModeWindow.objects.within(system).filter(organization_id=organization_id, ended_at__isnull=True)
        windows = windows if with_windows else windows.none()
        return Places(
            organization=tree[organization_id],
            ancestors=ancestors,
            groups={g.id: g for g in groups if g.organization_id == organization_id and not g.is_global},
            global_groups=tuple(g for g in groups if g.is_global),
            settings=tuple(settings.select_related(*_TARGETS).order_by("order", "id")),
            windows={w.target_id: w for w in windows},
            names={**{o: tree[o].name for o in line}, **{g.id: g.name for g in groups}},
        )


def load_all_places(reach: Reach, organization_ids: Iterable[UUID]) -> dict[UUID, Places]:
    """`load_places` for many organizations in reach at once, in three statements; those out of reach are left out.

    Without mode windows: `mode_of` knows mode and end, but not since when.
    """
    wanted = [o for o in organization_ids if reach.sees(o)]
    with reaching(system_reach("where computers stand")) as system:
        tree = {o.id: o for o in Organization.objects.within(system)}
        lines = {o: (o, *_ancestors(tree, o)) for o in wanted if o in tree}
        needed = {o for line in lines.values() for o in line}
        groups: dict[UUID, list[ComputerGroup]] = defaultdict(list)
        for group in ComputerGroup.objects.within(system).filter(organization_id__in=needed):
            groups[group.organization_id].append(group)
        settings: dict[UUID, list[AgentSetting]] = defaultdict(list)
        for setting in AgentSetting.objects.within(system).filter(organization_id__in=needed).order_by("order", "id"):
            settings[setting.organization_id].append(setting)
    return {
        own: Places(
            organization=tree[own],
            ancestors=line[1:],
            groups={g.id: g for g in groups[own] if not g.is_global},
            global_groups=tuple(g for o in line for g in groups[o] if g.is_global),
            settings=tuple(s for o in line for s in settings[o] if o == own or s.level == Level.GLOBAL),
            windows={},
            names={},
        )
        for own, line in lines.items()
    }


def _ancestors(tree: dict[UUID, Organization], organization_id: UUID) -> Iterable[UUID]:
    above = tree[organization_id].parent_id
    while above is not None:
        yield above
        above = tree[above].parent_id


def ranked(settings: Iterable[AgentSetting]) -> list[AgentSetting]:
    """Settings that apply to one computer, the winner of each name first: lowest order, nearest scope, lower id."""
    return sorted(settings, key=lambda s: (s.order, _NEARNESS[Level(s.level)], str(s.id)))


def _in_force(settings: Iterable[AgentSetting]) -> SettingsInForce:
    first: dict[str, AgentSetting] = {}
    for setting in ranked(settings):
        first.setdefault(setting.name, setting)
    builtin = first.get(SettingName.PRIORITIZE_BUILTIN)
    checkin, log = first.get(SettingName.CHECKIN_SECONDS), first.get(SettingName.LOG_PERMITS)
    return SettingsInForce(
        prioritize_builtin=builtin is None or bool(builtin.value),
        prioritize_from=builtin,
        checkin_seconds=int(checkin.value) if checkin else None,
        checkin_from=checkin,
        log_permits=log is None or bool(log.value),
        log_from=log,
    )


def _mode(at_target: Computer | ComputerGroup, window: ModeWindow | None, at: datetime) -> ModeInForce:
    over = at_target.mode_ends_at is not None and at_target.mode_ends_at <= at
    if at_target.mode == "secured" or over:
        return SECURED
    mode = cast(Mode, at_target.mode)
    if window is None or window.mode != mode:
        return ModeInForce(mode, None, at_target.mode_ends_at)
    return ModeInForce(mode, window.started_at, at_target.mode_ends_at, str(window.id))
