"""Install keys: made, listed, revoked. The secret is shown once and kept only as its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agents.models import InstallKey
from portal.common import clock
from portal.common.errors import NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import ComputerGroup
from portal.tenants.reach import Reach

DEFAULT_DAYS = 14
MAX_DAYS = 90
MAX_USES = 100_000
_NO_SECRET = hashlib.sha256(b"no such key").digest()


@dataclass(frozen=True, slots=True)
class NewInstallKey:
    """A key just made, and the only time its secret is seen: `<reference>.<secret>`."""

    key: InstallKey
    secret: str


@transaction.atomic
def create_install_key(
    reach: Reach, *, group_id: UUID, expires_at: datetime | None = None, max_uses: int | None = None
) -> NewInstallKey:
    """A key with which computers enroll into this group; 14 days unless told. Raises NotFound, Forbidden, Refused."""
    group = ComputerGroup.objects.within(reach).filter(pk=group_id).select_related("organization").first()
    if group is None or not reach.sees(group.organization_id):
        raise NotFound
    reach.require(Capability.INSTALL_KEY_WRITE, group.organization_id)
    now = clock.now()
    expires_at = expires_at or now + timedelta(days=DEFAULT_DAYS)
    _check(group, now, expires_at, max_uses)
    secret = secrets.token_urlsafe(32)
    key = InstallKey.rows.create(
        organization_id=group.organization_id,
        group=group,
        reference=secrets.token_hex(6),
        secret_sha256=hash_of(secret),
        created_by=reach.actor.name,
        created_at=now,
        expires_at=expires_at,
        max_uses=max_uses,
    )
    journal.record(
        reach,
        "install_key.created",
        key,
        organization_id=group.organization_id,
        after={"group": group.name, "expires_at": expires_at, "max_uses": max_uses},
    )
    return NewInstallKey(key, f"{key.reference}.{secret}")


@transaction.atomic
def revoke_install_key(reach: Reach, key_id: UUID) -> InstallKey:
    """No computer can enroll with it any more; those enrolled stay. Revoking twice changes nothing."""
    key = InstallKey.objects.within(reach).select_for_update(of=("self",)).filter(pk=key_id).first()
    if key is None:
        raise NotFound
    reach.require(Capability.INSTALL_KEY_WRITE, key.organization_id)
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        key.save(update_fields=["revoked_at"])
        journal.record(reach, "install_key.revoked", key, organization_id=key.organization_id)
    return key


def install_keys(reach: Reach, *, group_id: UUID | None = None) -> QuerySet[InstallKey]:
    """Keys in reach where the reader may also make them, newest first, revoked and expired ones included."""
    found = InstallKey.objects.within(reach).select_related("group", "organization")
    if not reach.everything:
        found = found.filter(organization_id__in=reach.with_capability(Capability.INSTALL_KEY_WRITE))
    return found.filter(group_id=group_id) if group_id else found


def install_key(reach: Reach, key_id: UUID) -> InstallKey:
    """One key in reach. Raises NotFound."""
    found = install_keys(reach).filter(pk=key_id).first()
    if found is None:
        raise NotFound
    return found


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def find_by_secret(reach: Reach, text: str) -> tuple[InstallKey | None, str]:
    """The key that `<reference>.<secret>` opens, and why not (`unknown`, `wrong_secret`, ``). Constant work."""
    reference, _, secret = text.partition(".")
    keys = InstallKey.objects.within(reach).select_related("group", "organization")
    key = keys.filter(reference=reference[:24]).first()
    stored = bytes(key.secret_sha256) if key else _NO_SECRET
    right = hmac.compare_digest(stored, hash_of(secret))
    if key is None:
        return None, "unknown"
    return (key, "") if right else (key, "wrong_secret")


def closed_reason(key: InstallKey, at: datetime) -> str:
    """Why an existing key opens nothing: `revoked`, `expired`, `used_up`; empty when it does."""
    reasons: Sequence[tuple[str, bool]] = (
        ("revoked", key.revoked_at is not None),
        ("expired", key.expires_at <= at),
        ("used_up", key.is_used_up()),
    )
    return next((word for word, holds in reasons if holds), "")


def _check(group: ComputerGroup, now: datetime, expires_at: datetime, max_uses: int | None) -> None:
    if group.is_global:
        raise Refused(
            "A global group holds computers by its rule; nobody enrolls into it. Choose one of the organization's own"
            " groups.",
            pointer="/group",
        )
    if group.is_template:
        raise Refused(
            f"{group.name} is the template of a baseline and holds no computers. Choose another group.",
            pointer="/group",
        )
    if expires_at <= now:
        raise Refused("The end date is over already. Choose one in the future.", pointer="/expires_at")
    if expires_at > now + timedelta(days=MAX_DAYS, minutes=5):
        raise Refused(f"An install key lives for at most {MAX_DAYS} days.", pointer="/expires_at")
    if max_uses is not None and not 1 <= max_uses <= MAX_USES:
        raise Refused(f"A key can be used 1 to {MAX_USES:,} times; leave it empty for no limit.", pointer="/max_uses")


def in_days(days: int) -> datetime:
    """The instant that many days from now."""
    return clock.now() + timedelta(days=days)
