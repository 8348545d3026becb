"""The naming convention `<scope>-<application>-<purpose>`: proposes a name, warns about another, forces nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.text import slugify

from policies.models import Action, Level

_PREFIX = {Level.GLOBAL: "glb", Level.ORGANIZATION: "org", Level.GROUP: "grp", Level.COMPUTER: "cmp"}
_PURPOSE = {Action.PERMIT: "permit", Action.PERMIT_RINGFENCED: "permit-ringfenced", Action.DENY: "deny"}
_SHAPE = re.compile(r"(glb|org|grp|cmp)(-[a-z0-9]+){2,}")
_LONGEST_PART = 60


def proposed_name(level: Level, target_name: str, applications: Sequence[str], action: Action) -> str:
    """A name by the convention, e.g. `grp-finance-quickbooks-permit-ringfenced`. `target_name` counts for groups
    and computers only; of several applications the first one names the policy."""
    parts = [_PREFIX[level]]
    if level in (Level.GROUP, Level.COMPUTER):
        parts.append(_part(target_name))
    parts.append(_part(applications[0]) if applications else "application")
    parts.append(_PURPOSE[action])
    return "-".join(part for part in parts if part)


def name_warning(name: str, level: Level) -> str:
    """Why a name breaks the convention, or nothing. Never a reason to refuse it."""
    if not _SHAPE.fullmatch(name):
        return "Names read <scope>-<application>-<purpose>, like grp-finance-quickbooks-permit-ringfenced."
    if not name.startswith(f"{_PREFIX[level]}-"):
        return f"This policy is at level {level}; its name should begin with {_PREFIX[level]}-."
    return ""


def _part(text: str) -> str:
    return slugify(text)[:_LONGEST_PART].strip("-")
