"""What a computer runs, opened again from the blobs it was given: for evaluating as deployed."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from agents.contents import Content, content_in
from agents.models import Blob, Delivery, Manifest
from policies.engine import bundle
from policies.engine.model import Application, Mode, Place, Policy
from policies.evaluation.deployed import Deployed
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


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
    if row is None:
        return None
    content = content_in(row)
    digests = [layer.digest for layer in content.layers]
    blobs = dict(
        Blob.objects.within(reach)
        .filter(organization_id=row.organization_id, digest__in=digests)
        .values_list("digest", "data")
    )
    if blobs.keys() != set(digests):
        return None
    policies, applications = _opened(content, blobs)
    return Deployed(
        version=row.version,
        is_newest=delivery.current_id == row.pk,
        since=delivery.running_since,
        policies=policies,
        applications=applications,
        place=_place(content, computer, row, at),
    )


def _opened(content: Content, blobs: dict[str, bytes]) -> tuple[tuple[Policy, ...], tuple[Application, ...]]:
    policies: list[Policy] = []
    applications: list[Application] = []
    for layer in content.layers:
        blob = bytes(blobs[layer.digest])
        if layer.kind == "policies":
            policies += bundle.open_layer(blob).policies
        else:
            applications.append(bundle.open_application(blob))
    return tuple(policies), tuple(applications)


def _place(content: Content, computer: Computer, row: Manifest, at: datetime) -> Place:
    window = content.mode
    over = window.ends_at is not None and at.timestamp() >= window.ends_at
    return Place(
        computer=str(computer.id),
        group=content.place.group,
        organization=content.place.organization,
        above=content.place.above,
        mode=cast(Mode, window.after if over else window.mode),
        prioritize_builtin=content.settings.prioritize_builtin,
        os=content.place.os,
    )
