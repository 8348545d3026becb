"""What computers run, as the floor above tells it through the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from portal.common import registry
from portal.common.registry import Delivery
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


def deliveries(reach: Reach, computers: Sequence[Computer]) -> Mapping[UUID, Delivery]:
    """Computer id -> what it runs, for the given computers; a computer that never acknowledged may be missing."""
    found: dict[UUID, Delivery] = {}
    for read in registry.computer_delivery:
        found.update(read(reach, computers))
    return found
