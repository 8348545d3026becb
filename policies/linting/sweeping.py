"""Keeping every organization's findings fresh in the background, so that pages and badges only read."""

from __future__ import annotations

import time
from uuid import UUID

from policies.linting import results
from portal.tenants.models import Organization
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

SECONDS_A_RUN = 15


def refresh_stale(seconds: float = SECONDS_A_RUN) -> int:
    """Judge the organizations whose findings are stale, longest ago first, until the time is over. How many it did."""
    with reaching(system_reach("lint")) as system:
        kept = dict(results.kept_at(system))
        everyone: list[UUID] = list(Organization.objects.within(system).values_list("id", flat=True))
    waiting = sorted(everyone, key=lambda one: (str(kept.get(one, "")), one))
    until = time.monotonic() + seconds
    done = 0
    for organization_id in waiting:
        if time.monotonic() >= until:
            break
        done += results.refresh(organization_id)
    return done
