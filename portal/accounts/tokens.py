"""API tokens: made, shown once, looked up, revoked. What a token may do is asked anew at every use.

A secret reads `pc_<12 characters>_<43 characters>`; the part before the second underscore is the prefix,
which may be searched for and shown. Only the SHA-256 of the whole is stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from portal.accounts.models import ApiToken, User
from portal.accounts.reaches import reach_of_user
from portal.common import clock
from portal.common.errors import FieldError, Invalid, NotFound, Refused
from portal.tenants import journal, queries
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Actor, Reach, system_reach
from portal.tenants.scoping import reaching

LONGEST_LIFE = timedelta(days=366)
_USED_EVERY = timedelta(minutes=1)
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, and its secret: the only moment at which it can be read."""

    token: ApiToken
    secret: str


@transaction.atomic
def create_token(
    reach: Reach,
    *,
    user: User,
    name: str,
    organizations: Sequence[UUID],
    capabilities: Iterable[Capability],
    expires_at: datetime,
) -> NewToken:
    """Make a token of `user` for these organizations and what lies beneath them.

    Raises Invalid or Refused when it asks for nothing, for more than its creator has, or for too long a life. A token
    made with a token ends no later than that one, and is revoked with it.
    """
    wanted = frozenset(capabilities)
    _check_wish(reach, organizations, wanted, expires_at)
    made_with = token(reach, reach.actor.id) if reach.actor.kind == "token" else None
    if made_with is not None and expires_at > made_with.expires_at:
        raise Refused("A token made with a token ends no later than that one.", pointer="/expires_at")
    home = organizations[0]
    reach.require(Capability.TOKEN_WRITE, home)
    prefix = "pc_" + base64.b32encode(os.urandom(8)).decode().rstrip("=").lower()[:12]
    secret = f"{prefix}_{secrets.token_urlsafe(32)}"
    made = ApiToken.objects.within(reach).create(
        organization_id=home,
        organizations=list(organizations),
        user=user,
        made_with=made_with,
        name=name.strip(),
        prefix=prefix,
        secret_sha256=_digest(secret),
        capabilities=sorted(wanted),
        expires_at=expires_at,
    )
    journal.record(reach, "token.created", made, organization_id=home, after=_told(made))
    return NewToken(made, secret)


def _check_wish(
    reach: Reach, organizations: Sequence[UUID], wanted: frozenset[Capability], expires_at: datetime
) -> None:
    faults = []
    if not organizations:
        faults.append(FieldError("/organizations", "Name at least one organization; none means nothing."))
    if not wanted:
        faults.append(FieldError("/capabilities", "Name at least one capability; none means nothing."))
    if expires_at <= clock.now():
        faults.append(FieldError("/expires_at", "The end date is in the past."))
    if expires_at > clock.now() + LONGEST_LIFE:
        faults.append(FieldError("/expires_at", "A token lives for one year at most."))
    if faults:
        raise Invalid(faults)
    for organization in organizations:
        if not reach.sees(organization):
            raise NotFound
        missing = sorted(c for c in wanted if not reach.can(c, organization))
        if missing:
            raise Refused(
                f"You do not have {', '.join(missing)} there yourself; leave it out.", pointer="/capabilities"
            )


def tokens(reach: Reach, *, organization_id: UUID | None = None, search: str = "") -> QuerySet[ApiToken]:
    """Tokens of the organizations in reach, or that may touch one of them, newest first; `search` looks in the
    prefix and the name."""
    found = ApiToken.objects.within(reach).select_related("user", "organization")
    if organization_id is not None:
        found = found.filter(organizations__contains=[organization_id])
    if search:
        found = found.filter(Q(prefix__startswith=search[:15]) | Q(name__icontains=search))
    return found.order_by("-created_at", "-id")


def token(reach: Reach, token_id: UUID | str) -> ApiToken:
    """One token in reach. Raises NotFound."""
    found: ApiToken | None = tokens(reach).filter(pk=queries.as_uuid(token_id)).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def revoke_token(reach: Reach, *, token_id: UUID | str) -> ApiToken:
    """End a token now. Its creator may, and who may change people there. Revoking twice changes nothing."""
    found = token(reach, token_id)
    if str(found.user_id) != reach.actor.id:
        reach.require(Capability.USER_WRITE, found.organization_id)
    _revoke(reach, found)
    return found


@transaction.atomic
def revoke_tokens_of(reach: Reach, user: User) -> int:
    """End every live token of a person; how many."""
    live = ApiToken.objects.within(reach).filter(user=user, revoked_at=None)
    return sum(_revoke(reach, each) for each in live)


def _revoke(reach: Reach, token: ApiToken) -> int:
    """End a token and those made with it; how many ended."""
    if token.revoked_at is not None:
        return 0
    token.revoked_at = clock.now()
    token.save(update_fields=["revoked_at"])
    journal.record(reach, "token.revoked", token, organization_id=token.organization_id)
    return 1 + sum(_revoke(reach, each) for each in ApiToken.objects.within(reach).filter(made_with=token))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls with a token: the token's creator, and the token's own reach."""

    user: User
    reach: Reach


def caller_of(secret: str, *, address: str = "") -> Caller | None:
    """The caller behind a secret; None when it is unknown, altered, expired, revoked, or its creator
    disabled.

    Costs the same for an unknown prefix as for a wrong secret. Notes the use, at most once a minute.
    """
    prefix = "_".join(secret.split("_", 2)[:2])[:16]
    with reaching(system_reach("look up a token")) as system:
        found = (
            ApiToken.objects.within(system).select_related("user").filter(prefix=prefix).first()
            if prefix.isascii() and prefix.isprintable()
            else None
        )
        genuine = hmac.compare_digest(bytes(found.secret_sha256) if found else _NO_HASH, _digest(secret))
        if found is None or not genuine or not found.is_live(clock.now()):
            return None
        _note_use(found)
    return Caller(found.user, reach_of_token(found, address=address))


def reach_of_token(token: ApiToken, *, address: str = "") -> Reach:
    """What its creator still reaches, kept to the token's organizations and capabilities."""
    actor = Actor("token", str(token.id), f"{token.name} ({token.user})", address)
    reach = reach_of_user(token.user, keep_to=token.organizations)
    allowed = frozenset(Capability(c) for c in token.capabilities if c in set(Capability))
    return replace(reach, actor=actor, grants={o: c & allowed for o, c in reach.grants.items()})


def _note_use(token: ApiToken) -> None:
    now = clock.now()
    if token.last_used_at is None or token.last_used_at < now - _USED_EVERY:
        ApiToken.rows.filter(pk=token.pk).update(last_used_at=now)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _told(token: ApiToken) -> dict[str, object]:
    return {
        "name": token.name,
        "prefix": token.prefix,
        "organizations": [str(o) for o in token.organizations],
        "capabilities": token.capabilities,
        "expires_at": token.expires_at,
    }
