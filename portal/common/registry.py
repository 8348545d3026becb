"""How a higher floor shows itself on a lower one: it registers in `AppConfig.ready`, nobody imports upward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """A place for one implementation, filled by a higher floor. Using it empty or filling it twice is a fault."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._filled: T | None = None

    def fill(self, implementation: T) -> None:
        if self._filled is not None:
            raise ValueError(f"{self.what} is filled already")
        self._filled = implementation

    def __call__(self) -> T:
        if self._filled is None:
            raise LookupError(f"nothing provides {self.what}")
        return self._filled


class Registry(Generic[T]):
    """A list of named entries in the order of their `rank`. Registering a name twice is a fault."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, T]] = {}

    def register(self, name: str, entry: T, *, rank: int = 100) -> None:
        if name in self._entries:
            raise ValueError(f"{name} is registered already")
        self._entries[name] = (rank, entry)

    def __iter__(self) -> Iterator[T]:
        return iter(entry for _, entry in sorted(self._entries.values(), key=lambda pair: pair[0]))

    def get(self, name: str) -> T | None:
        found = self._entries.get(name)
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """One place of the left rail. `url_name` is without namespace suffix: `policies:policy-list`;
    the `/all/` twin lives under the same name in the namespace `policies-all`, if `in_all`."""

    label: str
    icon: str
    url_name: str
    capability: str
    in_all: bool = True
    badge: Callable[[Any, Any], int] | None = None  # (reach, organization or None) -> number; 0 shows nothing


@dataclass(frozen=True, slots=True)
class DashboardCard:
    """One number of the dashboard's strip. `read(reach, organization)` gives a CardValue."""

    label: str
    capability: str
    read: Callable[[Any, Any], CardValue]


@dataclass(frozen=True, slots=True)
class CardValue:
    number: int
    note: str = ""
    href: str = ""
    tone: str = "none"  # none | deny | pending | ask | live


@dataclass(frozen=True, slots=True)
class OrganizationColumn:
    """A number per organization on the /all/ dashboard. `read(reach)` gives all of them in one statement:
    organization id -> CardValue; an organization that is missing has zero."""

    label: str
    capability: str
    read: Callable[[Any], Mapping[Any, CardValue]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a computer runs, by its own acknowledgement: the chip of lists, and the bundle fields of the API.

    `tone` and `label` as the design's chips: live "Live v812", sent "Sent", behind "Behind 3", refused, silent,
    drift, none. `at` is the instant of the acknowledgement; version and sha256 are None before the first one.
    """

    tone: str
    label: str
    note: str = ""
    version: int | None = None
    sha256: str | None = None
    in_sync: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    label: str
    kind: str
    href: str
    hint: str = ""


SearchProvider = Callable[[Any, Any, str], Sequence[SearchHit]]  # (reach, organization or None, text) -> at most 8

navigation: Registry[NavigationEntry] = Registry()
dashboard_cards: Registry[DashboardCard] = Registry()
organization_columns: Registry[OrganizationColumn] = Registry()  # of the /all/ dashboard
search_providers: Registry[SearchProvider] = Registry()
computer_panels: Registry[Callable[[Any, Any], tuple[str, dict[str, Any]]]] = (
    Registry()
)  # (reach, computer) -> template, context
computer_delivery: Registry[Callable[[Any, Sequence[Any]], dict[Any, Delivery]]] = (
    Registry()
)  # (reach, computers) -> {computer id: Delivery}

# Called inside the transaction that creates or renames a computer group: (reach, group).
group_hooks: Registry[Callable[[Any, Any], None]] = Registry()
# Called inside the transaction that creates an organization: (reach, organization).
organization_hooks: Registry[Callable[[Any, Any], None]] = Registry()
# Called inside the transaction that moves a computer to another group: (reach, computer).
computer_hooks: Registry[Callable[[Any, Any], None]] = Registry()
# Starts a deployment: (reach, *, level, target_id, note) -> Deployment.
start_deployment: Slot[Callable[..., Any]] = Slot("starting a deployment")
