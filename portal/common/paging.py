"""Keyset pages: every list that a computer fills is paged by what its last row holds, never by a count."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db.models import F, Model, Q, QuerySet

from portal.common.errors import FieldError, Invalid

T = TypeVar("T")
_SALT = "portal.paging"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. `next` and `previous` are opaque cursors, empty at an end."""

    rows: Sequence[T]
    next: str = ""
    previous: str = ""


def pack_cursor(values: Sequence[Any], *, backward: bool = False) -> str:
    """An opaque, signed cursor that names the row to go on from."""
    text = json.dumps([backward, [str(v) if v is not None else None for v in values]], separators=(",", ":"))
    token = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    return f"{token}.{signing.Signer(salt=_SALT).signature(token)[:16]}"


def unpack_cursor(cursor: str) -> tuple[list[str | None], bool]:
    """The values of a cursor and whether it goes backward. Raises Invalid when it is not one of ours."""
    token, _, mark = cursor.partition(".")
    if not mark or signing.Signer(salt=_SALT).signature(token)[:16] != mark:
        raise Invalid([FieldError("/after", "This page link is not valid. Start again from the first page.")])
    try:
        backward, values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error) as error:
        raise Invalid([FieldError("/after", "This page link is not valid.")]) from error
    return values, backward


def keyset(queryset: QuerySet[Any], *, order: Sequence[str], after: str = "", size: int = 50) -> Page[Any]:
    """One page of `queryset` sorted by `order` (Django's spelling, the last field unique, no nulls).

    All fields must go the same way. One statement; reads one row more than it returns.
    """
    descending = order[0].startswith("-")
    fields = [name.lstrip("-") for name in order]
    if any(name.startswith("-") != descending for name in order):
        raise ValueError("keyset pages need one direction")
    values, backward = unpack_cursor(after) if after else ([], False)
    if values and len(values) != len(fields):
        raise Invalid([FieldError("/after", "This page link belongs to another list.")])
    down = descending != backward
    rows = queryset.order_by(*(F(name).desc() if down else F(name).asc() for name in fields))
    if values:
        rows = rows.filter(_beyond(fields, values, "lt" if down else "gt"))
    found = list(rows[: size + 1])
    more, found = len(found) > size, found[:size]
    if backward:
        found.reverse()
    has_next, has_previous = (bool(values), more) if backward else (more, bool(values))
    return Page(
        found,
        next=pack_cursor(_values(found[-1], fields)) if found and has_next else "",
        previous=pack_cursor(_values(found[0], fields), backward=True) if found and has_previous else "",
    )


def _values(row: Model, fields: Sequence[str]) -> list[Any]:
    def read(name: str) -> Any:
        value: Any = row
        for part in name.split("__"):
            value = getattr(value, part)
        return value.isoformat() if hasattr(value, "isoformat") else value

    return [read(name) for name in fields]


def _beyond(fields: Sequence[str], values: Sequence[Any], operator: str) -> Q:
    """(a, b) < (x, y) spelled as a < x or (a = x and b < y)."""
    condition = Q()
    for index, name in enumerate(fields):
        equal = Q(**dict(zip(fields[:index], values[:index], strict=True)))
        condition |= equal & Q(**{f"{name}__{operator}": values[index]})
    return condition
