"""Agent settings: writing the ordered list, and what holds where. Of several that apply the lowest order wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings as django_settings
from django.db import transaction

from policies import changes, queries
from policies.compile import load_places
from policies.compile.places import ranked
from policies.engine import ordering
from policies.engine.ordering import LAST_CUSTOM, NoGap
from policies.models import AgentSetting, SettingName
from policies.models.settings import SWITCHES, shown_value
from policies.placing import Placement
from policies.scopes import Scope, lock_organization, require_write, scope_of
from portal.common.errors import FieldError, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach

NOBODY = UUID(int=0)
BOTTOM = Placement("bottom")
FASTEST_CHECKIN, SLOWEST_CHECKIN = 15, 240  # seconds; silence of five minutes counts as unreachable


@transaction.atomic
def create_setting(reach: Reach, *, scope: Scope, name: str, value: Any, place: Placement = BOTTOM) -> AgentSetting:
    """Set `name` at a scope, at a place in its organization's list: the bottom, the top, or beside another setting.

    Raises NotFound, Forbidden, Invalid, Refused when the scope has that setting already. Locks the organization.
    """
    require_write(reach, Capability.SETTING_WRITE, scope)
    organization = lock_organization(reach, scope.organization_id)
    _check(name, value)
    same = AgentSetting.objects.within(reach).filter(**scope.columns(), name=name)
    if same.exists():
        raise Refused("This scope has that setting already. Change it there.", pointer="/name", code="setting_exists")
    setting = AgentSetting(**scope.columns(), name=name, value=value, order=_slot(reach, organization.id, place))
    setting.created_by = setting.changed_by = reach.actor.name
    setting.save(force_insert=True)
    _tell(reach, setting, "setting.created", before=None)
    return setting


@transaction.atomic
def update_setting(reach: Reach, setting_id: UUID, *, value: Any) -> AgentSetting:
    """Give a setting another value. Raises NotFound, Forbidden, Invalid. Locks the organization."""
    setting = _locked(reach, setting_id)
    _check(setting.name, value)
    if setting.value == value:
        return setting
    before = {"value": setting.value}
    setting.value, setting.changed_by = value, reach.actor.name
    setting.save(update_fields=["value", "changed_by", "changed_at"])
    _tell(reach, setting, "setting.changed", before=before)
    return setting


@transaction.atomic
def move_setting(reach: Reach, setting_id: UUID, *, place: Placement) -> AgentSetting:
    """Put a setting at another place of its organization's list. Raises NotFound, Forbidden, Invalid."""
    setting = _locked(reach, setting_id)
    before = {"order": setting.order}
    setting.order = _slot(reach, setting.organization_id, place, but=setting.id)
    if setting.order == before["order"]:
        return setting
    setting.changed_by = reach.actor.name
    setting.save(update_fields=["order", "changed_by", "changed_at"])
    _tell(reach, setting, "setting.moved", before=before)
    return setting


@transaction.atomic
def delete_setting(reach: Reach, setting_id: UUID) -> None:
    """Remove a setting from its scope. Raises NotFound, Forbidden. Locks the organization."""
    setting = _locked(reach, setting_id)
    _tell(reach, setting, "setting.deleted", before=_told(setting))
    setting.delete()


def _locked(reach: Reach, setting_id: UUID) -> AgentSetting:
    seen = queries.agent_setting(reach, setting_id)
    require_write(reach, Capability.SETTING_WRITE, scope_of(seen))
    lock_organization(reach, seen.organization_id)
    setting: AgentSetting | None = AgentSetting.objects.within(reach).filter(id=seen.id).first()
    if setting is None:
        raise NotFound
    return setting


def _check(name: str, value: Any) -> None:
    if name not in SettingName.values:
        raise Invalid([FieldError("/name", f"This must be one of {', '.join(SettingName.values)}.")])
    if name in SWITCHES:
        if not isinstance(value, bool):
            raise Invalid([FieldError("/value", "This must be true or false.")])
    elif isinstance(value, bool) or not isinstance(value, int) or not FASTEST_CHECKIN <= value <= SLOWEST_CHECKIN:
        why = "a computer that is silent for five minutes counts as unreachable"
        raise Invalid([FieldError("/value", f"This must be {FASTEST_CHECKIN} to {SLOWEST_CHECKIN} seconds: {why}.")])


def _slot(reach: Reach, organization_id: UUID, place: Placement, *, but: UUID | None = None) -> int:
    """Settings use the numbers of custom policies, 100 apart. Equal numbers at different scopes are one place."""
    taken = dict(AgentSetting.objects.within(reach).filter(organization_id=organization_id).values_list("id", "order"))
    own = taken.pop(but, None) if but is not None else None
    if place.where == "order" or (place.other is not None and place.other not in taken):
        raise Invalid([FieldError("/place", "This must be top, bottom, or before or after another of these settings.")])
    orders = sorted(set(taken.values()))
    rank = _rank(orders, taken, place)
    above, below = (orders[rank - 1] if rank else None), (orders[rank] if rank < len(orders) else None)
    if own is not None and own not in orders and (above or 0) < own < (below or LAST_CUSTOM + 1):
        return own
    try:
        if above is not None and below is not None:
            return ordering.slot_between(above, below)
        return ordering.slot_top(orders) if above is None else ordering.slot_bottom(orders)
    except NoGap:
        return _respaced(reach, taken, rank)


def _rank(orders: list[int], taken: dict[UUID, int], place: Placement) -> int:
    """How many distinct numbers stand above the place."""
    if place.other is not None:
        return orders.index(taken[place.other]) + (place.where == "after")
    return 0 if place.where == "top" else len(orders)


def _respaced(reach: Reach, taken: dict[UUID, int], rank: int) -> int:
    """Renumber the list in steps of 100 with a free number at `rank`. Each change of number is told.

    Raises Forbidden when that takes a global setting along which the reach may not write.
    """
    ids = list(taken)
    numbers = dict(zip(ids, ordering.renumbered([taken[i] for i in ids], gap_at=rank), strict=True))
    changed = [queries.agent_setting(reach, i) for i in ids if numbers[i] != taken[i]]
    for setting in changed:
        require_write(reach, Capability.SETTING_WRITE, scope_of(setting))
        setting.order, setting.changed_by = numbers[setting.id], reach.actor.name
    AgentSetting.objects.within(reach).bulk_update(changed, ["order", "changed_by"])
    for setting in changed:
        _tell(reach, setting, "setting.renumbered", before={"order": taken[setting.id]})
    return ordering.order_of_rank(rank, len(set(taken.values())) + 1)


def _told(setting: AgentSetting) -> dict[str, Any]:
    return {"name": setting.name, "value": setting.value, "level": setting.level, "order": setting.order}


def _tell(reach: Reach, setting: AgentSetting, verb: str, *, before: dict[str, Any] | None) -> None:
    after = None if verb == "setting.deleted" else _told(setting)
    journal.record(reach, verb, setting, organization_id=setting.organization_id, before=before, after=after)
    changes.bump(reach, scope_of(setting), verb=verb, summary=str(setting), thing=setting)


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting at one place. `origin`: the row that says so, None when nothing is set. `beaten`: the rows that
    apply there too and lose, in order; `why` says by which rule the first of them does."""

    name: SettingName
    value: bool | int
    origin: AgentSetting | None = None
    beaten: tuple[AgentSetting, ...] = ()
    why: str = ""

    @property
    def shown(self) -> str:
        return shown_value(self.name, self.value)


def effective(
    reach: Reach,
    *,
    computer: Computer | None = None,
    group: ComputerGroup | None = None,
    organization: Organization | None = None,
) -> list[Effective]:
    """Each setting at a computer, at the computers of a group, or in an organization as far as no group or computer has
    one of its own; exactly one of the three. Raises NotFound."""
    at = computer or group
    places = load_places(reach, at.organization_id if at else organization.id if organization else NOBODY)
    if computer is not None:
        rows = places.settings_at(computer.group_id, computer.id, computer.os)
    elif group is not None:
        rows = places.settings_at(group.id, None, group.os)
    else:
        rows = places.organization_rows()
    return [_effective(name, [row for row in ranked(rows) if row.name == name]) for name in SettingName]


def _effective(name: SettingName, rows: list[AgentSetting]) -> Effective:
    if not rows:
        return Effective(name, unset_value(name))
    first, beaten = rows[0], tuple(rows[1:])
    why = ""
    if beaten:
        why = "the lower order wins" if first.order < beaten[0].order else "of equal orders the nearer scope wins"
    return Effective(name, first.value, first, beaten, why)


def unset_value(name: SettingName | str) -> bool | int:
    """What holds where nothing is set: built-ins first, permitted runs logged, the portal's own interval."""
    return int(django_settings.CHECKIN_SECONDS) if name == SettingName.CHECKIN_SECONDS else True
