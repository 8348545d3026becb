"""What one computer must enforce: from what is saved, from a manifest signed before, or as at a neighbor. Pure but for
its reads; nothing is signed here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast
from uuid import UUID

import msgspec
from django.conf import settings as django_settings
from django.db.models import F

from agents.models import Delivery, Deployment, Manifest
from agents.protocol import envelope
from agents.protocol import manifest as wire
from policies import compile as policy_compile
from policies.compile import ModeInForce, Snapshot
from policies.models import Level
from portal.tenants.models import Computer
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


@dataclass(frozen=True, slots=True)
class Content:
    """What one computer must enforce; everything of a manifest that is not its number, date or target."""

    layers: tuple[wire.Layer, ...]
    settings: wire.Settings
    mode: wire.ModeWindow
    place: wire.ManifestPlace

    def sha256(self) -> str:
        parts = (self.layers, self.settings, self.mode, self.place)
        return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


def snapshot(organization_id: UUID) -> Snapshot:
    """What is saved for one organization now, read in one short transaction."""
    with reaching(system_reach("read what is saved for computers")) as system:
        return policy_compile.snapshot(system, organization_id)


def content_of(saved: Snapshot, computer: Computer) -> tuple[Content, dict[str, bytes]]:
    """What is saved for one computer, and the bytes of its layers by digest. Pure."""
    in_force = saved.settings_of(computer)
    layers = saved.layers_of(computer)
    content = Content(
        layers=tuple(
            wire.Layer(digest=layer.digest, size=len(layer.blob), kind=layer.kind, name=layer.name) for layer in layers
        ),
        settings=wire.Settings(
            prioritize_builtin=in_force.prioritize_builtin,
            checkin_seconds=in_force.checkin_seconds or django_settings.CHECKIN_SECONDS,
            log_permits=in_force.log_permits,
        ),
        mode=_window(saved.mode_of(computer)),
        place=_place(saved, computer),
    )
    return content, {layer.digest: layer.blob for layer in layers}


def content_in(row: Manifest) -> Content:
    """The content of a manifest that was signed before."""
    signed = msgspec.msgpack.decode(bytes(row.envelope), type=envelope.Envelope)
    old = msgspec.msgpack.decode(signed.payload, type=wire.Manifest)
    return Content(old.layers, old.settings, old.mode, old.place)


def deployed_in(reach: Reach, group_ids: Iterable[UUID]) -> dict[tuple[UUID, str], Manifest]:
    """By group and operating system: the newest current manifest in that group. One made for a single computer does
    not count, since it may hold what nobody deployed to the group yet. Two statements."""
    found = Manifest.objects.within(reach).filter(
        group_id__in=list(group_ids),
        computer__group_id=F("group_id"),
        pk__in=Delivery.objects.within(reach).filter(current__isnull=False).values("current_id"),
    )
    single = Deployment.objects.within(reach).filter(level=Level.COMPUTER, pk__in=found.values("deployment_id"))
    rows = found.exclude(deployment_id__in=list(single.values_list("id", flat=True))).select_related("computer")
    ordered = rows.order_by("group_id", "computer__os", "-issued_at", "-id").distinct("group_id", "computer__os")
    return {(row.group_id, row.computer.os): row for row in ordered}


def content_beside(neighbor: Manifest, own: Manifest | None, saved: Snapshot, computer: Computer) -> Content:
    """What was deployed to a computer's group, seen at a neighbor, with the computer's own place, mode and layer."""
    theirs, mine = content_in(neighbor), content_in(own).layers if own is not None else ()
    shared = [layer for layer in theirs.layers if layer.kind == "policies" and not _is_own(layer)]
    kept = [layer for layer in mine if _is_own(layer)]
    wanted = (*theirs.layers, *(mine if kept else ()))
    applications = {layer.digest: layer for layer in wanted if layer.kind == "application"}
    by_name = sorted(applications.values(), key=lambda layer: (layer.name, layer.digest))
    content = replace(theirs, layers=(*shared, *kept, *by_name), place=_place(saved, computer))
    return with_mode(content, saved, computer)


def _is_own(layer: wire.Layer) -> bool:
    """Whether a layer holds the policies of one computer only, as `policies.compile` names it."""
    return layer.kind == "policies" and layer.name.partition(":")[0] == Level.COMPUTER


def _place(saved: Snapshot, computer: Computer) -> wire.ManifestPlace:
    place = saved.place_of(computer)
    return wire.ManifestPlace(
        organization=place.organization,
        group=place.group,
        above=place.above,
        os=cast(Literal["windows", "macos", "linux"], place.os),
    )


def with_mode(content: Content, saved: Snapshot, computer: Computer) -> Content:
    """The same policies under the mode that holds now."""
    return replace(content, mode=_window(saved.mode_of(computer)))


def _window(mode: ModeInForce) -> wire.ModeWindow:
    return wire.ModeWindow(
        mode=mode.mode,
        started_at=int(mode.started_at.timestamp()) if mode.started_at else 0,
        ends_at=int(mode.ends_at.timestamp()) if mode.ends_at else None,
        window=mode.window,
        after=mode.after,
    )
