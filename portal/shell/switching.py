"""Changing the organization and staying on the same screen: the path is kept where it can exist elsewhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve

from portal.tenants.models import Organization

_CONTEXT = re.compile(r"^/(?:o/[-\w]+|all)/")
_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+$|^\d+$|^[0-9a-v]+-[0-9a-f-]+$", re.IGNORECASE)


def same_screen(at: str, organization: Organization | None) -> str:
    """The address `at` under another organization (or all); ids that cannot exist there are cut off."""
    parts = urlsplit(at)
    found = _CONTEXT.match(parts.path)
    base = f"/o/{organization.slug}/" if organization else "/all/"
    if found is None:
        return base
    kept: list[str] = []
    for segment in parts.path[found.end() :].strip("/").split("/"):
        if not segment or _ID.match(segment):
            break
        kept.append(segment)
    path = base + "".join(f"{segment}/" for segment in kept)
    if not _exists(path):
        return base
    cut = len(kept) < len([s for s in parts.path[found.end() :].split("/") if s])
    return path if cut or not parts.query else f"{path}?{_without_cursor(parts.query)}".rstrip("?")


def _without_cursor(query: str) -> str:
    return "&".join(pair for pair in query.split("&") if not pair.startswith("after="))


def _exists(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True
