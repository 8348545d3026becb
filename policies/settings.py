"""Writing agent settings: an ordered list with the scopes of policies, of which the lowest order wins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from policies import changes, queries
from policies.engine import ordering
from policies.engine.ordering import NoGap
from policies.models import AgentSetting, SettingName
from policies.placing import Placement
from policies.scopes import Scope, lock_organization, require_write, scope_of
from portal.common.errors import FieldError, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

BOTTOM = Placement("bottom")


@transaction.atomic
def create_setting(reach: Reach, *, scope: Scope, name: str, value: Any, place: Placement = BOTTOM) -> AgentSetting:
    """Set `name` at a scope, at the top or bottom of its organization's list.

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
    """Put a setting on top or at the bottom of its organization's list. Raises NotFound, Forbidden, Refused."""
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
    if not isinstance(value, bool):
        raise Invalid([FieldError("/value", "This must be true or false.")])


def _slot(reach: Reach, organization_id: UUID, place: Placement, *, but: UUID | None = None) -> int:
    """Settings use the numbers of custom policies, 100 apart."""
    taken = dict(AgentSetting.objects.within(reach).filter(organization_id=organization_id).values_list("id", "order"))
    if but is not None:
        taken.pop(but, None)
    if place.where not in ("top", "bottom"):
        raise Invalid([FieldError("/place", "This must be top or bottom.")])
    find = ordering.slot_top if place.where == "top" else ordering.slot_bottom
    try:
        return find(taken.values())
    except NoGap:
        rank = 0 if place.where == "top" else len(set(taken.values()))
        return _respaced(reach, taken, rank)


def _respaced(reach: Reach, taken: dict[UUID, int], rank: int) -> int:
    """Renumber the list in steps of 100 with a free number at `rank`."""
    for (setting_id, _), order in zip(
        sorted(taken.items(), key=lambda item: -item[1]),
        sorted(ordering.renumbered(list(taken.values()), gap_at=rank), reverse=True),
        strict=True,
    ):
        AgentSetting.objects.within(reach).filter(id=setting_id).update(order=order)
    return ordering.order_of_rank(rank, len(set(taken.values())) + 1)


def _told(setting: AgentSetting) -> dict[str, Any]:
    return {"name": setting.name, "value": setting.value, "level": setting.level, "order": setting.order}


def _tell(reach: Reach, setting: AgentSetting, verb: str, *, before: dict[str, Any] | None) -> None:
    after = None if verb == "setting.deleted" else _told(setting)
    journal.record(reach, verb, setting, organization_id=setting.organization_id, before=before, after=after)
    changes.bump(reach, scope_of(setting), verb=verb, summary=str(setting), thing=setting)
