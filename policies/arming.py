"""The arm switch: a disabled policy is on for a while, and goes off by itself.

The computer enforces the end from its signed bundle (`compile.rules.policy_value`), so nothing has to arrive there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from policies import changes, queries
from policies.models import Change, Policy
from policies.scopes import lock_organization, require_write, scope_of
from portal.common import clock
from portal.common.errors import Forbidden, Invalid, NotFound, Refused
from portal.common.registry import start_deployment
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

LONGEST = timedelta(hours=24)
_FOR = re.compile(r"(\d{1,4})\s*(m|min|h)")
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


@transaction.atomic
def arm(reach: Reach, policy_id: UUID, *, until: datetime) -> Policy:
    """Turn a disabled policy on until `until`, 24 hours ahead at most; armed again, the new end counts.

    Raises NotFound, Forbidden, Refused (a default, an enabled policy, an end that is past, too far or after its own
    expiry began). Locks the organization. Computers follow once it is deployed.
    """
    policy, organization = _locked(reach, policy_id)
    _check_arm(policy, until)
    was = policy.armed_until if policy.is_armed() else None
    policy.armed_until, policy.changed_by = until, reach.actor.name
    policy.save(update_fields=["armed_until", "changed_by", "changed_at"])
    before = {"armed_until": was} if was else None
    journal.record(
        reach,
        "policy.armed",
        policy,
        organization_id=organization.id,
        before=before,
        after={"armed_until": until},
    )
    summary = f"{policy.name} armed until {until.astimezone(ZoneInfo(organization.time_zone)):%H:%M %Z}"
    changes.bump(reach, scope_of(policy), verb="policy.armed", summary=summary, thing=policy)
    return policy


@transaction.atomic
def disarm(reach: Reach, policy_id: UUID) -> Policy:
    """Turn an armed policy off now. One that is not armed stays as it is. Raises NotFound, Forbidden.

    Locks the organization. Computers that this does not reach turn it off when the arm ends.
    """
    policy, organization = _locked(reach, policy_id)
    if not policy.is_armed():
        return policy
    was, policy.armed_until, policy.changed_by = policy.armed_until, None, reach.actor.name
    policy.save(update_fields=["armed_until", "changed_by", "changed_at"])
    journal.record(
        reach, "policy.disarmed", policy, organization_id=organization.id, before={"armed_until": was}, after={}
    )
    changes.bump(reach, scope_of(policy), verb="policy.disarmed", summary=f"{policy.name} disarmed", thing=policy)
    return policy


@dataclass(frozen=True, slots=True)
class Sent:
    """Where the switch went. `deployment` is None when nothing was sent; `why_not` says why, empty when not asked."""

    policy: Policy
    deployment: Any = None
    why_not: str = ""


def arm_and_send(reach: Reach, policy_id: UUID, *, until: datetime, deploy: bool = True) -> Sent:
    """Arm, and start the deployment to the policy's scope. What cannot be sent stays armed and pending, and says so.

    Raises what `arm` raises.
    """
    policy = arm(reach, policy_id, until=until)
    return _send(reach, policy, f"{policy.name} armed") if deploy else Sent(policy)


def disarm_and_send(reach: Reach, policy_id: UUID, *, deploy: bool = True) -> Sent:
    """Disarm, and start the deployment to the policy's scope. Raises what `disarm` raises."""
    policy = disarm(reach, policy_id)
    return _send(reach, policy, f"{policy.name} disarmed") if deploy else Sent(policy)


def going_along(reach: Reach, policy: Policy) -> list[Change]:
    """The other changes that a deployment to the policy's scope takes along, newest first."""
    scope = scope_of(policy)
    covered = changes.pending_at(
        reach, organization_id=scope.organization_id, level=scope.level, target_id=scope.target
    )
    return list(covered.exclude(object_id=policy.id)[:20])


def read_until(text: str, time_zone: str, now: datetime) -> datetime:
    """The instant that `30m`, `2h`, `18:00` (the next one) or `2027-01-31T18:00` means in a time zone.

    Raises Refused for anything else.
    """
    text = text.strip().lower()
    zone = ZoneInfo(time_zone)
    if found := _FOR.fullmatch(text):
        minutes = int(found[1]) * (60 if found[2] == "h" else 1)
        return now + timedelta(minutes=minutes)
    if found := _TIME_OF_DAY.fullmatch(text):
        return _next_time_of_day(int(found[1]), int(found[2]), zone, now)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise Refused("Write the end like 30m, 2h, 18:00 or 2027-01-31T18:00.", pointer="/until") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _next_time_of_day(hour: int, minute: int, zone: ZoneInfo, now: datetime) -> datetime:
    """The first instant after `now` at which clocks there show this time; a time that is skipped counts as shifted."""
    today = now.astimezone(zone).date()
    moments = [
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold).astimezone(UTC)
        for day in (today, today + timedelta(days=1))
        for fold in (0, 1)
    ]
    return min(moment for moment in moments if moment > now)


def _check_arm(policy: Policy, until: datetime) -> None:
    now = clock.now()
    if policy.is_default:
        raise Refused("The default of a group always decides; there is nothing to arm.", code="default_is_fixed")
    if policy.enabled:
        raise Refused("This policy is enabled already. Arm is for a disabled one.", code="enabled")
    if until <= now:
        raise Refused("This end is past. Choose a later one.", pointer="/until", code="past")
    if until > now + LONGEST:
        raise Refused(
            "A policy is armed for 24 hours at most. For longer, enable it and let it expire.",
            pointer="/until",
            code="too_long",
        )
    if policy.expires_at is not None and policy.expires_at <= now:
        raise Refused("This policy has expired. Give it a later expiry first.", pointer="/until", code="expired")
    if policy.starts_at is not None and policy.starts_at >= until:
        raise Refused(
            "This policy starts after that end. Change its start first.", pointer="/until", code="not_started"
        )


def _locked(reach: Reach, policy_id: UUID) -> tuple[Policy, Organization]:
    """The policy as it is once its organization is locked. Raises NotFound, Forbidden."""
    seen = queries.policy(reach, policy_id)
    require_write(reach, Capability.POLICY_WRITE, scope_of(seen))
    organization = lock_organization(reach, seen.organization_id)
    policy: Policy | None = Policy.objects.within(reach).filter(id=seen.id).first()
    if policy is None:
        raise NotFound
    return policy, organization


def _send(reach: Reach, policy: Policy, note: str) -> Sent:
    scope = scope_of(policy)
    try:
        with transaction.atomic():
            started = start_deployment()(reach, level=scope.level.value, target_id=scope.target, note=note[:500])
    except (Refused, Forbidden, Invalid) as error:
        return Sent(policy, why_not=error.message)
    return Sent(policy, started)
