"""What a computer was given, opened again from its manifest and blobs: for evaluating as deployed, and for telling what
a deployment would newly stop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from agents.contents import Content, content_in
from agents.models import Blob, Delivery, Manifest
from policies.engine import bundle
from policies.engine.model import Application, Place, Policy
from policies.evaluation.deployed import Deployed
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """The policies and applications of a manifest."""

    policies: tuple[Policy, ...]
    applications: tuple[Application, ...]


def deployed_at(reach: Reach, computer: Computer, at: datetime) -> Deployed | None:
    """The bundle this computer proved that it runs; None when there is none, or parts of it are gone. Three
    statements."""
    delivery = Delivery.objects.within(reach).filter(computer=computer).first()
    if delivery is None or not delivery.running_version:
        return None
    row = (
        Manifest.objects.within(reach)
        .filter(computer=computer, epoch=delivery.running_epoch, version=delivery.running_version)
        .first()
    )
    content = content_in(row) if row is not None else None
    opened = opened_content(reach, row, content) if row is not None and content is not None else None
    if row is None or content is None or opened is None:
        return None
    return Deployed(
        version=row.version,
        is_newest=delivery.current_id == row.pk,
        since=delivery.running_since,
        policies=opened.policies,
        applications=opened.applications,
        place=place_given(row, content, at),
    )


def opened_content(reach: Reach, row: Manifest, content: Content) -> Opened | None:
    """What the layers of a manifest hold; None when a blob is gone or is of a release whose blobs cannot be read any
    more. One statement."""
    digests = [layer.digest for layer in content.layers]
    rows = Blob.objects.within(reach).filter(organization_id=row.organization_id, digest__in=digests)
    blobs = dict(rows.values_list("digest", "data"))
    if blobs.keys() != set(digests):
        return None
    try:
        policies, applications = bundle.open_blobs(
            (layer.kind, layer.name, bytes(blobs[layer.digest])) for layer in content.layers
        )
    except bundle.BundleError as error:
        log.warning("bundle.unreadable", manifest=str(row.pk), reason=str(error))
        return None
    return Opened(tuple(policies), tuple(applications))


def place_given(row: Manifest, content: Content, at: datetime) -> Place:
    """Where a manifest puts its computer, in the mode that holds at `at`."""
    window = content.mode
    over = window.ends_at is not None and at.timestamp() >= window.ends_at
    return Place(
        computer=str(row.computer_id),
        group=content.place.group,
        organization=content.place.organization,
        above=content.place.above,
        mode=window.after if over else window.mode,
        prioritize_builtin=content.settings.prioritize_builtin,
        os=content.place.os,
    )
