"""What a policy says apart from where it stands: the part that a baseline carries, and that drift compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from policies.models import Policy

_NOT_CARRIED = {
    "id", "number", "organization", "level", "target_organization", "target_group", "target_computer", "kind", "order",
    "is_default", "armed_until", "created_at", "created_by", "changed_at", "changed_by", "last_matched_at", "linked_to",
    "notify", "owner", "ticket",  # the people and papers of whose baseline it is
}  # fmt: skip
_FIELDS = {f.name: f for f in Policy._meta.concrete_fields if f.name not in _NOT_CARRIED}
CARRIED = tuple(_FIELDS)
"""The columns that a follower has from its baseline. A column that is added to policies later is carried, too."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`columns`: those of `CARRIED` as plain JSON. `applications`: ids in their order."""

    columns: Mapping[str, Any]
    applications: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.columns["name"])

    def switched_off(self) -> Terms:
        return replace(self, columns={**self.columns, "enabled": False})

    def column_values(self) -> dict[str, Any]:
        """The columns as a row takes them."""
        return {name: _FIELDS[name].to_python(value) for name, value in self.columns.items()}

    def as_json(self) -> dict[str, Any]:
        return {"columns": dict(self.columns), "applications": list(self.applications)}


def terms_of(policy: Policy, applications: Iterable[UUID]) -> Terms:
    """What a row says."""
    return Terms(
        {name: _plain(getattr(policy, name)) for name in CARRIED},
        tuple(str(application) for application in applications),
    )


def terms_from(kept: Mapping[str, Any]) -> Terms:
    """What was kept by `as_json`. A column that came later has its default, as the rows have that were there."""
    columns = {name: kept["columns"].get(name, _default(name)) for name in CARRIED}
    return Terms(columns, tuple(kept["applications"]))


def differing(one: Terms, other: Terms) -> list[str]:
    """The names of what differs, for people: `action`, `applications`. Empty when both say the same."""
    found = [name for name in CARRIED if one.columns[name] != other.columns[name]]
    return found + (["applications"] if one.applications != other.applications else [])


@dataclass(frozen=True, slots=True)
class Item:
    """One policy of a baseline. `source` is its id there; `names` are those of its applications."""

    source: UUID
    order: int
    kind: str
    terms: Terms
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.terms.name

    def as_json(self) -> dict[str, Any]:
        head = {"source": str(self.source), "order": self.order, "kind": self.kind}
        return {**head, **self.terms.as_json(), "application_names": list(self.names)}


def item_from(kept: Mapping[str, Any]) -> Item:
    """What `Item.as_json` kept."""
    return Item(
        UUID(kept["source"]), kept["order"], kept["kind"], terms_from(kept), tuple(kept.get("application_names", ()))
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return list(value) if isinstance(value, list | tuple) else value


def _default(name: str) -> Any:
    return _plain(_FIELDS[name].get_default())
