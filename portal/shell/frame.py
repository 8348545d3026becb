"""What every page's frame needs: the left rail, the organization it stands in, addresses of the frame's own parts.

All of it is read when a template asks for it, so a fragment pays nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.functional import SimpleLazyObject, cached_property

from portal.common.htmx import PortalRequest
from portal.common.registry import NavigationEntry, navigation
from portal.common.templatetags.portcullis import address

TOP = ("Organizations",)
BOTTOM = ("Settings", "Journal", "System audit")
ORDER = (
    "Dashboard", "Approvals", "Audit", "Computers", "Groups", "Applications", "Policies", "Learning",
    "Deployments", "Simulation", "Reports",
)  # fmt: skip
GO_KEYS = {
    "Dashboard": "d", "Approvals": "a", "Audit": "u", "Computers": "c", "Groups": "r", "Applications": "l",
    "Policies": "p", "Deployments": "y", "Organizations": "o", "Simulation": "i", "Reports": "e",
    "Settings": "s", "Journal": "j", "Learning": "m",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the left rail."""

    label: str
    icon: str
    href: str
    key: str
    badge: int
    is_current: bool


class Frame:
    """The frame of one request. Attributes are computed once, on first use."""

    def __init__(self, request: PortalRequest) -> None:
        self.request = request
        self.organization = getattr(request, "organization", None)
        self.reach = getattr(request, "reach", None)

    @property
    def color(self) -> str:
        return self.organization.color if self.organization else ""

    @property
    def context_name(self) -> str:
        return self.organization.name if self.organization else "All organizations"

    @cached_property
    def places(self) -> list[list[Place]]:
        """The rail's three blocks: organizations, daily work, upkeep. Only what this person may open."""
        blocks: list[list[Place]] = [[], [], []]
        for entry in sorted(self._allowed(), key=_rank):
            block = 0 if entry.label in TOP else 2 if entry.label in BOTTOM else 1
            if place := self._place(entry):
                blocks[block].append(place)
        return [block for block in blocks if block]

    def _allowed(self) -> Iterator[NavigationEntry]:
        for entry in navigation:
            if self.organization is None:
                if entry.in_all and self.reach and self.reach.can_anywhere(entry.capability):
                    yield entry
            elif self.reach and self.reach.can(entry.capability, self.organization.id):
                yield entry

    def _place(self, entry: NavigationEntry) -> Place | None:
        href = self.address(entry.url_name)
        if not href:
            return None
        badge = entry.badge(self.reach, self.organization) if entry.badge else 0
        return Place(entry.label, entry.icon, href, GO_KEYS.get(entry.label, ""), badge, self._is_current(entry, href))

    def _is_current(self, entry: NavigationEntry, href: str) -> bool:
        path = self.request.path
        return path == href if entry.url_name == "shell:dashboard" else path.startswith(href)

    def address(self, name: str) -> str:
        """The address of a screen in this context, or nothing when there is none here."""
        try:
            return address(name, self.organization)
        except NoReverseMatch:
            return ""

    @property
    def idle_seconds(self) -> int:
        """How long a session lasts without a step; the page warns before."""
        return int(settings.SESSION_IDLE_SECONDS)

    @property
    def home(self) -> str:
        return self.address("shell:dashboard") or "/"

    @property
    def pending_bar(self) -> str:
        return self.address("agents:pending-bar")

    @property
    def pending(self) -> str:
        return self.address("agents:pending")


def _rank(entry: NavigationEntry) -> int:
    return ORDER.index(entry.label) if entry.label in ORDER else len(ORDER)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `frame` for base.html; `is_demo`, so that the demo's people see how they sign in."""
    return {
        "frame": SimpleLazyObject(lambda: Frame(cast(PortalRequest, request))),
        "is_demo": settings.IS_DEMO,
    }
