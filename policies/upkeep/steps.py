"""Keeping what a tidying step was, and taking it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from policies import queries, undoing
from policies.models import Application, UndoStep
from policies.upkeep import pictures, touching
from policies.upkeep.pictures import Picture
from portal.common.errors import Conflict
from portal.tenants.reach import Reach

MERGED = "applications.merged"
SPLIT = "application.split"
COLLAPSED = "application.collapsed"
CERTIFICATE_REPLACED = "certificate.replaced"
KINDS = (MERGED, SPLIT, COLLAPSED, CERTIFICATE_REPLACED)


def keep(
    reach: Reach,
    organization_id: UUID,
    *,
    kind: str,
    summary: str,
    before: Picture,
    touched: Iterable[UUID],
    relinked: Iterable[UUID] = (),
) -> UndoStep:
    """Keep what undoing needs. `before` pictures the applications as they were, `touched` are they and the new ones;
    `relinked` policies got other applications."""
    touched = set(touched)
    after = pictures.picture(touched)
    payload = {
        "organization": str(organization_id),
        "applications": sorted(map(str, touched)),
        "relinked": sorted(map(str, relinked)),
        "after": pictures.digest(after),
        "rows": pictures.difference(before, after),
    }
    return undoing.keep_undo(reach, organization_id=organization_id, kind=kind, summary=summary, payload=payload)


def _take_back(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Put everything back as it was. Raises Conflict when something that decides has changed since, Forbidden."""
    organization_id, ids = UUID(payload["organization"]), [UUID(one) for one in payload["applications"]]
    users, relinked = touching.users_of(ids), frozenset(map(UUID, payload["relinked"]))
    touching.require_rights(reach, organization_id, users, relinked=relinked)
    touching.lock(reach, organization_id, users)
    if pictures.digest(pictures.picture(ids)) != payload["after"]:
        raise Conflict(
            "Its rules, or the policies that name it, were changed since. Taking this step back would lose that: "
            "undo those changes first."
        )
    gone = payload["rows"]["policies_application"]["gone"]
    _refuse_taken_names(reach, organization_id, [row["name"] for row in gone])
    before = _applications(reach, ids)
    pictures.put_back(payload["rows"])
    now = _applications(reach, ids)
    verb, summary = "application.restored", _summary(now or before)
    touching.tell_others(reach, organization_id, users, relinked, verb=verb, summary=summary)
    touching.count_changes(reach, now or before, verb=verb, summary=summary)


def _refuse_taken_names(reach: Reach, organization_id: UUID, names: list[str]) -> None:
    mine = Application.objects.within(reach).filter(organization_id=organization_id)
    for name in names:
        if mine.filter(name__iexact=name).exists():
            raise Conflict(f"There is another application called {name} now. Rename it, then undo.")


def _applications(reach: Reach, ids: list[UUID]) -> list[Application]:
    return list(queries.applications(reach).filter(id__in=ids))


def _summary(applications: list[Application]) -> str:
    return f"{', '.join(application.name for application in applications[:3])} put back as before"


for _kind in KINDS:
    undoing.reversal(_kind)(_take_back)
