"""How this app shows itself on lower floors: delivery chips, the computer's panel, dashboard numbers, search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count

from agents import computer_keys, queries
from agents import delivery as deliveries
from agents.models import ComputerKey, Delivery, Deployment
from agents.models.deployments import DeploymentState
from agents.models.identity import KeyState
from portal.common import clock, registry
from portal.common.registry import CardValue, SearchHit
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach

SILENT_AFTER = timedelta(minutes=5)
JUST_SENT = timedelta(minutes=2)
RECENT = timedelta(days=1)


def computer_delivery(reach: Reach, computers: Sequence[Computer]) -> dict[UUID, registry.Delivery]:
    """The chip of each computer that ever was due a bundle. One statement."""
    by_id = {c.id: c for c in computers}
    rows = Delivery.objects.within(reach).filter(computer_id__in=by_id).select_related("current")
    now = clock.now()
    return {row.computer_id: _chip(row, by_id[row.computer_id], now) for row in rows}


def _chip(row: Delivery, computer: Computer, now: datetime) -> registry.Delivery:
    tone, label, note = _words(row, computer, now)
    runs = row.running_version > 0
    return registry.Delivery(
        tone=tone,
        label=label,
        note=note,
        version=row.running_version if runs else None,
        sha256=row.running_sha256 if runs else None,
        in_sync=tone == "live",
        at=row.running_since,
    )


def _words(row: Delivery, computer: Computer, now: datetime) -> tuple[str, str, str]:
    """(tone, label, note). Live is said only of what the computer itself acknowledged."""
    current, running = row.current, f"v{row.running_version}"
    if row.drift:
        return "drift", "Drift", "It runs a bundle that this portal did not sign for it."
    if current is None:
        return "none", "No bundle yet", ""
    if row.refused_version == current.version:
        keeps = f"Refused, keeps {running}" if row.running_version else "Refused"
        return "refused", keeps, row.refused_reason
    if (row.running_epoch, row.running_version) == (current.epoch, current.version):
        return "live", f"Live {running}", ""
    if computer.last_seen_at is None or now - computer.last_seen_at > SILENT_AFTER:
        return "silent", "Unreachable", "It receives the newest bundle when it returns."
    if now - current.issued_at < JUST_SENT or not row.running_version:
        return "sent", f"Sent v{current.version}", "Live as soon as it acknowledges."
    return "behind", f"Behind {current.version - row.running_version}", ""


def computer_panel(reach: Reach, computer: Computer) -> tuple[str, dict[str, Any]]:
    """Template and context of the agent's part of a computer's page."""
    row = Delivery.objects.within(reach).filter(computer=computer).select_related("current").first()
    keys = list(computer_keys.computer_keys(reach, computer.id))
    heartbeat = row.heartbeat if row else {}
    return "agents/computer_panel.html", {
        "computer": computer,
        "organization": computer.organization,
        "delivery": row,
        "current": row.current if row else None,
        "heartbeat": heartbeat,
        "posture": _posture(heartbeat.get("posture", {})),
        "keys": keys,
        "active": next((key for key in keys if key.state == KeyState.ACTIVE), None),
        "deployments": deliveries.deployments_of(reach, computer.id),
        "may_write": reach.can(Capability.COMPUTER_WRITE, computer.organization_id),
    }


def _posture(posture: Mapping[str, Any]) -> list[str]:
    """What the agent says that it cannot see."""
    found = [f"file system {mount} is not guarded" for mount in posture.get("unmarked_mounts", ())]
    if posture.get("user_namespaces"):
        found.append("mounts inside foreign user namespaces")
    if posture.get("memfd_exec"):
        found.append("programs run from memory (memfd)")
    return [*found, *posture.get("notes", ())]


def halted_deployments(reach: Reach, organization: Organization | None) -> CardValue:
    """Deployments of the last day that did not reach every computer, and those on their way."""
    found = queries.deployments(reach, organization.id if organization else None)
    failed = found.filter(
        state__in=(DeploymentState.PARTLY_FAILED, DeploymentState.FAILED), started_at__gte=clock.now() - RECENT
    ).count()
    rolling = found.filter(state=DeploymentState.ROLLING).count()
    parts = ((failed, "not everywhere"), (rolling, "on the way"))
    note = ", ".join(f"{count} {word}" for count, word in parts if count)
    href = address("agents:deployment-list", organization)
    return CardValue(failed + rolling, note, href, "deny" if failed else ("pending" if rolling else "none"))


def behind_computers(reach: Reach, organization: Organization | None) -> CardValue:
    """Computers that do not run the newest bundle signed for them."""
    rows = Delivery.objects.within(reach).filter(is_behind=True)
    if organization is not None:
        rows = rows.filter(organization=organization)
    drift = Delivery.objects.within(reach).filter(drift=True)
    drifting = (drift.filter(organization=organization) if organization else drift).count()
    number = rows.count()
    note = f"{drifting} drifting" if drifting else ("not on the newest bundle" if number else "")
    return CardValue(number + drifting, note, "", "deny" if drifting else ("pending" if number else "none"))


def waiting_keys(reach: Reach, organization: Organization | None) -> CardValue:
    """Machines that enrolled again with another key and wait for a technician."""
    keys = ComputerKey.objects.within(reach).filter(state=KeyState.PENDING)
    if organization is not None:
        keys = keys.filter(organization=organization)
    number, first = keys.count(), keys.select_related("organization").order_by("created_at", "id").first()
    if first is None:
        return CardValue(0)
    href = address("tenants:computer-detail", first.organization, computer=first.computer_id)
    return CardValue(number, "known machines with a new key", href, "ask")


def behind_by_organization(reach: Reach) -> dict[UUID, CardValue]:
    """Computers that are behind, per organization. One statement."""
    rows = (
        Delivery.objects.within(reach)
        .filter(is_behind=True)
        .order_by()
        .values_list("organization_id")
        .annotate(count=Count("id"))
    )
    return {organization_id: CardValue(count, tone="pending") for organization_id, count in rows}


def find_deployments(reach: Reach, organization: Organization | None, text: str) -> list[SearchHit]:
    """Deployments by number (`D-813`, `813`) or note; at most eight."""
    wanted = text.strip().upper().removeprefix("D-")
    found = queries.deployments(reach, organization.id if organization else None)
    found = found.filter(number=int(wanted)) if wanted.isdigit() and len(wanted) < 15 else _by_note(found, text)
    return [
        SearchHit(
            str(one), "Deployment", address("agents:deployment-detail", organization, deployment=one.id), one.note
        )
        for one in found[:8]
    ]


def _by_note(found: Any, text: str) -> Any:
    return found.filter(note__icontains=text.strip()) if len(text.strip()) > 2 else Deployment.rows.none()
