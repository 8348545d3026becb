"""From saved policies to a signed manifest per computer. Reads in one short transaction, compiles and signs outside
of any, stores in another; the version is taken optimistically, so nothing is locked while a key signs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db.models import QuerySet

from agents import keys
from agents.contents import Content
from agents.models import Blob, ComputerKey, Delivery, Manifest
from agents.models.identity import KeyState
from agents.protocol import envelope
from agents.protocol import manifest as wire
from portal.common import clock
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

LIFETIME = timedelta(days=365)
WHY = "build bundles"


@functools.cache
def _bundle_key() -> Ed25519PrivateKey:
    return keys.private_key("bundle")


@dataclass(frozen=True, slots=True)
class Standing:
    """One computer before building: its active key's fingerprint, and the manifest it has so far, if any.

    `floor`: the version it says that it runs. The next one is higher than that too, so that computers accept a
    portal whose database was restored from an older copy.
    """

    computer: Computer
    fingerprint: str
    current: Manifest | None
    floor: int = 0

    @property
    def next_version(self) -> int:
        return max(self.current.version if self.current is not None else 0, self.floor) + 1


@dataclass(frozen=True, slots=True)
class Built:
    """The manifest a computer shall run: a new version, or (`is_new` false) the one it has, content unchanged."""

    standing: Standing
    row: Manifest
    is_new: bool
    blobs: Mapping[str, bytes]


def standings(reach: Reach, computer_ids: Iterable[UUID]) -> list[Standing]:
    """The computers among these that hold an active key, with their current manifests. Three statements."""
    ids = list(computer_ids)
    computers = {c.id: c for c in Computer.objects.within(reach).filter(pk__in=ids)}
    fingerprints = dict(
        ComputerKey.objects.within(reach)
        .filter(computer_id__in=ids, state=KeyState.ACTIVE)
        .values_list("computer_id", "fingerprint")
    )
    deliveries = {
        d.computer_id: d for d in Delivery.objects.within(reach).filter(computer_id__in=ids).select_related("current")
    }
    return [
        _standing(computers[i], fingerprints[i], deliveries.get(i)) for i in ids if i in computers and i in fingerprints
    ]


def _standing(computer: Computer, fingerprint: str, delivery: Delivery | None) -> Standing:
    if delivery is None:
        return Standing(computer, fingerprint, None)
    said = delivery.heartbeat.get("bundle_version", 0)
    return Standing(computer, fingerprint, delivery.current, floor=said if isinstance(said, int) else 0)


def build(
    standing: Standing, content: Content, blobs: Mapping[str, bytes], *, deployment_id: UUID | None, now: datetime
) -> Built:
    """A signed manifest with this content; the one the computer has, when that says the same to the same key."""
    current = standing.current
    content_sha256 = _bound(content, standing)
    if current is not None and current.content_sha256 == content_sha256 and current.expires_at > now + LIFETIME / 2:
        return Built(standing, current, is_new=False, blobs={})
    payload = msgspec.msgpack.encode(_manifest(standing, content, deployment_id, now))
    row = Manifest(
        organization_id=standing.computer.organization_id,
        computer=standing.computer,
        epoch=keys.EPOCH,
        version=standing.next_version,
        sha256=hashlib.sha256(payload).hexdigest(),
        size=len(payload),
        content_sha256=content_sha256,
        envelope=envelope.seal(wire.MANIFEST_TYPE, payload, (_bundle_key(),)),
        layers=[layer.digest for layer in content.layers],
        mode=content.mode.mode,
        mode_ends_at=clock.from_ms(content.mode.ends_at * 1000) if content.mode.ends_at is not None else None,
        mode_after=content.mode.after,
        group_id=UUID(content.place.group),
        deployment_id=deployment_id,
        issued_at=now,
        expires_at=now + LIFETIME,
    )
    return Built(standing, row, is_new=True, blobs=blobs)


def store(reach: Reach, built: Sequence[Built]) -> list[Built]:
    """Make these the current manifests. Returns those stored; one whose computer got another manifest meanwhile is
    left out, to be built again. Locks the computers' deliveries in the order of their ids."""
    ids = [b.standing.computer.id for b in built]
    _make_deliveries(reach, built)
    locked: QuerySet[Delivery] = Delivery.objects.within(reach).filter(computer_id__in=ids).order_by("computer_id")
    deliveries = {d.computer_id: d for d in locked.select_for_update(of=("self",))}
    kept = [b for b in built if _unchanged(b.standing, deliveries.get(b.standing.computer.id))]
    new = [b for b in kept if b.is_new]
    _store_blobs(reach, new)
    Manifest.objects.within(reach).bulk_create([b.row for b in new])
    for b in kept:
        delivery = deliveries[b.standing.computer.id]
        delivery.current = b.row
        delivery.is_behind = (delivery.running_epoch, delivery.running_version) < (b.row.epoch, b.row.version)
        delivery.rebuild_due_at = None
    Delivery.objects.within(reach).bulk_update(
        [deliveries[b.standing.computer.id] for b in kept], ["current", "is_behind", "rebuild_due_at"], batch_size=500
    )
    return kept


def _make_deliveries(reach: Reach, built: Sequence[Built]) -> None:
    Delivery.objects.within(reach).bulk_create(
        [
            Delivery(organization_id=b.standing.computer.organization_id, computer=b.standing.computer)
            for b in built
            if b.standing.current is None
        ],
        ignore_conflicts=True,
    )


def _unchanged(standing: Standing, delivery: Delivery | None) -> bool:
    return delivery is not None and delivery.current_id == (standing.current.pk if standing.current else None)


def _store_blobs(reach: Reach, new: Sequence[Built]) -> None:
    """Blobs are named by their content: a row that is there already is the right one."""
    wanted = {(b.standing.computer.organization_id, digest): data for b in new for digest, data in b.blobs.items()}
    ordered = sorted(wanted.items(), key=lambda item: (str(item[0][0]), item[0][1]))
    rows = Blob.objects.within(reach)
    there = set(
        rows.filter(organization_id__in={o for o, _ in wanted}, digest__in={d for _, d in wanted}).values_list(
            "organization_id", "digest"
        )
    )
    rows.bulk_create(
        [
            Blob(organization_id=organization_id, digest=digest, data=data, size=len(data))
            for (organization_id, digest), data in ordered
            if (organization_id, digest) not in there
        ],
        ignore_conflicts=True,
    )


def _bound(content: Content, standing: Standing) -> str:
    """The content bound to the key it is meant for: a new key needs a new manifest."""
    return hashlib.sha256(f"{content.sha256()}\n{standing.fingerprint}".encode()).hexdigest()


def _manifest(standing: Standing, content: Content, deployment_id: UUID | None, now: datetime) -> wire.Manifest:
    current = standing.current
    return wire.Manifest(
        organization=str(standing.computer.organization_id),
        computer=str(standing.computer.id),
        key_fingerprint=standing.fingerprint,
        epoch=keys.EPOCH,
        version=standing.next_version,
        previous=current.sha256 if current is not None else "",
        deployment=str(deployment_id) if deployment_id else "",
        issued_at=int(now.timestamp()),
        expires_at=int((now + LIFETIME).timestamp()),
        settings=content.settings,
        mode=content.mode,
        place=content.place,
        layers=content.layers,
    )
