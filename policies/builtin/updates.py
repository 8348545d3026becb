"""Updates of the built-in catalogue: staged, looked at with their impact, then applied or discarded by the MSP."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet

from policies.builtin.differences import differences
from policies.builtin.feed import open_feed, trusted_keys
from policies.builtin.loader import Loaded, load_catalogue
from policies.builtin.schema import CatalogueError, Entry, check_entries, read_catalogue
from policies.models import Application, CatalogueUpdate, Kind, UpdateState
from policies.scopes import lock_organization
from portal.common import clock
from portal.common.errors import Conflict, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


def updates(reach: Reach) -> QuerySet[CatalogueUpdate]:
    """The updates in reach, newest first, without their entries."""
    return CatalogueUpdate.objects.within(reach).defer("entries").select_related("organization")


def update(reach: Reach, update_id: UUID | str) -> CatalogueUpdate:
    """One update in reach. Raises NotFound."""
    found: CatalogueUpdate | None = updates(reach).filter(id=as_uuid(update_id)).first()
    if found is None:
        raise NotFound
    return found


def entries(reach: Reach, update_id: UUID) -> list[Entry]:
    """The catalogue that an update brings. Raises NotFound, CatalogueError when this version cannot read it."""
    row = CatalogueUpdate.objects.within(reach).filter(id=update_id).first()
    if row is None:
        raise NotFound
    try:
        return msgspec.json.decode(bytes(row.entries), type=list[Entry])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{row} does not fit the schema of this version: {error}") from error


def may_decide(reach: Reach, organization_id: UUID) -> bool:
    """Whether the reach may apply an update: it changes what every customer's policies match."""
    needed = (Capability.APPLICATION_WRITE, Capability.GLOBAL_WRITE)
    return all(reach.can(capability, organization_id) for capability in needed)


def may_upload(reach: Reach) -> bool:
    """Whether the reach may take in a feed, and some key is trusted at all."""
    top = _top(reach)
    return bool(settings.CATALOGUE_KEYS) and top is not None and may_decide(reach, top.id)


@transaction.atomic
def take_shipped(reach: Reach, *, at_once: bool = False) -> Loaded | CatalogueUpdate | None:
    """What the files of this release bring. Needs the system's reach; called when the portal starts.

    The first catalogue of an installation is applied; later ones wait to be looked at (with `at_once` they do not). A
    catalogue that was discarded is not offered again. None when nothing differs. Raises CatalogueError.
    """
    shipped = read_catalogue()
    top = _top(reach)
    is_first = not Application.objects.within(reach).filter(kind=Kind.BUILTIN).exists()
    if top is None or is_first or at_once:
        return load_catalogue(reach, shipped)
    return _stage(reach, top, shipped, CatalogueUpdate.Source.SHIPPED)


@transaction.atomic
def take_feed(reach: Reach, data: bytes) -> CatalogueUpdate:
    """Stage a signed feed; what waited is superseded. Raises Forbidden, NotFound, Refused (a signature, schema or
    serial that does not hold, nothing new in it)."""
    top = _decider(reach)
    try:
        feed, signer = open_feed(data, trusted_keys(settings.CATALOGUE_KEYS), now=int(clock.now().timestamp()))
    except CatalogueError as error:
        raise Refused(str(error), pointer="/feed", code="bad_feed") from error
    known = CatalogueUpdate.objects.within(reach).filter(organization=top).exclude(state=UpdateState.DISCARDED)
    newest = known.aggregate(newest=Max("serial"))["newest"] or 0
    if feed.serial <= newest:
        raise Refused(
            f"This feed has the serial {feed.serial}; {newest} came before. An older feed is never taken.",
            pointer="/feed",
            code="old_feed",
        )
    staged = _stage(
        reach,
        top,
        feed.entries,
        CatalogueUpdate.Source.FEED,
        serial=feed.serial,
        key_id=signer,
        issued_at=clock.from_ms(feed.issued_at * 1000),
    )
    if staged is None:
        raise Refused("The feed says what is in force already.", pointer="/feed", code="nothing_new")
    return staged


@transaction.atomic
def apply_update(reach: Reach, update_id: UUID | str) -> CatalogueUpdate:
    """Make the built-in applications what the update says. Organizations whose bundles change get a pending change;
    nothing is deployed. Raises NotFound, Forbidden, Conflict when it does not wait, Refused when it cannot be read.
    """
    row = _waiting(reach, update_id)
    try:
        wanted = entries(reach, row.id)
        check_entries(wanted)
    except CatalogueError as error:
        raise Refused(str(error), code="bad_feed") from error
    with reaching(replace(system_reach("apply a catalogue"), actor=reach.actor)) as system:
        loaded = load_catalogue(system, wanted)
    _decide(reach, row, UpdateState.APPLIED)
    journal.record(
        reach,
        "catalogue.applied",
        row,
        organization_id=row.organization_id,
        serial=row.serial,
        sha256=row.sha256,
        new=loaded.created,
        changed=loaded.updated,
        retired=loaded.retired,
    )
    return row


@transaction.atomic
def discard_update(reach: Reach, update_id: UUID | str) -> CatalogueUpdate:
    """Leave the built-in applications as they are. Raises NotFound, Forbidden, Conflict when it does not wait."""
    row = _waiting(reach, update_id)
    _decide(reach, row, UpdateState.DISCARDED)
    journal.record(
        reach, "catalogue.discarded", row, organization_id=row.organization_id, serial=row.serial, sha256=row.sha256
    )
    return row


def _stage(
    reach: Reach,
    top: Organization,
    wanted: Sequence[Entry],
    source: str,
    *,
    serial: int = 0,
    key_id: str = "",
    issued_at: datetime | None = None,
) -> CatalogueUpdate | None:
    found = differences(reach, wanted)
    if not found:
        return None
    payload = msgspec.json.encode(wanted)
    sha256 = hashlib.sha256(payload).hexdigest()
    lock_organization(reach, top.id)
    rows = CatalogueUpdate.objects.within(reach).filter(organization=top)
    same = rows.filter(sha256=sha256, state__in=(UpdateState.WAITING, UpdateState.DISCARDED), source=source).first()
    if same is not None and source == CatalogueUpdate.Source.SHIPPED:
        return same if same.state == UpdateState.WAITING else None
    now = clock.now()
    rows.filter(state=UpdateState.WAITING).update(
        state=UpdateState.SUPERSEDED, decided_at=now, decided_by=reach.actor.name
    )
    kinds = [one.kind for one in found]
    row = CatalogueUpdate(
        organization=top,
        source=source,
        serial=serial,
        key_id=key_id,
        issued_at=issued_at,
        sha256=sha256,
        entries=payload,
        created_at=now,
        created_by=reach.actor.name,
        new=kinds.count("new"),
        changed=kinds.count("changed"),
        retired=kinds.count("retired"),
    )
    row.save(force_insert=True)
    journal.record(reach, "catalogue.staged", row, organization_id=top.id, serial=serial, sha256=sha256)
    return row


def _top(reach: Reach) -> Organization | None:
    return Organization.objects.within(reach).filter(parent__isnull=True).order_by("created_at", "id").first()


def _decider(reach: Reach) -> Organization:
    """The organization at the top, for who may decide there. Raises NotFound, Forbidden."""
    top = _top(reach)
    if top is None:
        raise NotFound
    reach.require(Capability.APPLICATION_WRITE, top.id)
    reach.require(Capability.GLOBAL_WRITE, top.id)
    return top


def _waiting(reach: Reach, update_id: UUID | str) -> CatalogueUpdate:
    seen = update(reach, update_id)
    reach.require(Capability.APPLICATION_WRITE, seen.organization_id)
    reach.require(Capability.GLOBAL_WRITE, seen.organization_id)
    lock_organization(reach, seen.organization_id)
    row: CatalogueUpdate = CatalogueUpdate.objects.within(reach).select_related("organization").get(id=seen.id)
    if row.state != UpdateState.WAITING:
        raise Conflict(f"{row} is {row.get_state_display().lower()} already.")
    return row


def _decide(reach: Reach, row: CatalogueUpdate, state: UpdateState) -> None:
    row.state, row.decided_at, row.decided_by = state, clock.now(), reach.actor.name
    row.save(update_fields=["state", "decided_at", "decided_by"])
