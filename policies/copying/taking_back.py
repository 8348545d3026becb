"""Undoing a copy: exactly what was made goes, as long as nobody has changed or used it since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from policies import catalogue
from policies.models import Application, Policy
from policies.policy_writes import remove
from policies.scopes import require_write, scope_of
from policies.undoing import reversal
from portal.common.errors import Conflict, Refused
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach


@reversal("policies.copied")
def uncopy(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Delete the copies, and the applications that came along."""
    rows = {row.id: row for row in Policy.objects.within(reach).filter(id__in=[p for p, _, _ in payload["policies"]])}
    made = Application.objects.within(reach).filter(id__in=[a for a, _, _ in payload["applications"]])
    applications = {row.id: row for row in made}
    changed = _changed(payload["policies"], rows) + _changed(payload["applications"], applications)
    if changed:
        raise Conflict(f"Not undone, because something changed since: {'; '.join(changed[:5])}.")
    for row in rows.values():
        require_write(reach, Capability.POLICY_WRITE, scope_of(row))
        remove(reach, row)
    for application in applications.values():
        try:
            catalogue.delete_application(reach, application.id)
        except Refused as used:
            raise Conflict(f"Not undone: {used.message}") from used


def _changed(kept: list[list[str]], rows: Mapping[UUID, Any]) -> list[str]:
    found = []
    for key, name, changed_at in kept:
        row = rows.get(UUID(key))
        if row is None:
            found.append(f"{name} was deleted")
        elif row.changed_at != datetime.fromisoformat(changed_at):
            found.append(f"{row.name} was changed by {row.changed_by or 'somebody'}")
    return found
