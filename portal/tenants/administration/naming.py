"""Names, slugs and time zones as every administered thing has them, and the two ways a write ends."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db import models
from django.db.models import ProtectedError, QuerySet
from django.utils.text import slugify

from portal.common.errors import Conflict, FieldError, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.reach import Reach

M = TypeVar("M", bound=models.Model)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


def locked(rows: QuerySet[M], row_id: UUID) -> M:
    """The row, locked until the transaction ends. Raises NotFound when it is gone meanwhile."""
    found = rows.select_for_update(of=("self",)).filter(pk=row_id).first()
    if found is None:
        raise NotFound
    return found


def checked_name(name: str) -> str:
    """The name with single spaces. Raises Invalid when it is empty, too long or has unprintable characters."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 120 or not name.isprintable():
        raise Invalid([FieldError("/name", "A name has 1 to 120 characters, all of them visible.")])
    return name


def check_time_zone(name: str) -> None:
    """Raise Invalid unless the name is one of the time zone database."""
    if name not in zoneinfo.available_timezones():
        raise Invalid([FieldError("/time_zone", f"{name!r} is no time zone. Write it like Europe/Vienna.")])


def _checked_slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug):
        raise Invalid([FieldError("/slug", "Small letters, digits and hyphens, 1 to 60, not beginning with a hyphen.")])
    return slug


def pick_slug(slug: str, name: str, taken: set[str]) -> str:
    """`slug` itself, or one made from `name` when it is empty. Raises Invalid, or Conflict when it is
    taken.
    """
    if slug:
        if _checked_slug(slug) in taken:
            raise Conflict(f"The slug {slug} is taken.")
        return slug
    base = slugify(name)[:50].strip("-") or "x"
    return next(s for n in range(1, len(taken) + 2) if (s := base if n == 1 else f"{base}-{n}") not in taken)


def told(thing: models.Model, fields: Sequence[str]) -> dict[str, Any]:
    """What the System Audit tells about a thing."""
    return {name: getattr(thing, name) for name in fields}


def save_and_tell(
    reach: Reach,
    verb: str,
    thing: models.Model,
    organization_id: UUID,
    before: Mapping[str, Any],
    fields: Sequence[str],
) -> None:
    """Save what differs and record it; nothing at all when nothing differs."""
    after = told(thing, fields)
    changed = [name for name in fields if before[name] != after[name]]
    if not changed:
        return
    thing.save(update_fields=changed)
    journal.record(
        reach,
        verb,
        thing,
        organization_id=organization_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )


def delete(thing: models.Model) -> None:
    """Delete it. Raises Refused, naming the kinds of things that still hold on to it."""
    try:
        thing.delete()
    except ProtectedError as error:
        kinds = sorted({str(held._meta.verbose_name_plural) for held in error.protected_objects})
        raise Refused(f"{thing} is still used by {', '.join(kinds)}. Delete these first.", code="in_use") from error
