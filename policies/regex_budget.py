"""How many regular expressions an organization may have that are tried on every file: fifty.

One without a literal of three characters cannot be indexed; each computer tries it on each file it starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from policies.engine.lint.regex_checks import has_no_literal
from policies.engine.patterns import REGEX_PREFIX, is_regex, unquoted
from policies.engine.rules import PATTERN_FIELDS
from policies.models import FileRule
from policies.strength import RuleText
from portal.common.errors import Refused
from portal.tenants.reach import Reach

MOST_WITHOUT_LITERAL = 50


def require_room(
    reach: Reach, organization_id: UUID, os: str, rules: Iterable[RuleText], *, but: UUID | None = None
) -> None:
    """Raise Refused when saving these rules would give the organization too many. `but`: a rule that is replaced.

    Reads nothing unless one of them is such an expression. Call it with the organization locked.
    """
    wanted = sum(slow_patterns(rule, os) for rule in rules)
    if not wanted:
        return
    regexes = Q()
    for field in PATTERN_FIELDS:
        regexes |= Q(**{f"{field}__icontains": REGEX_PREFIX})
    rows = FileRule.objects.within(reach).filter(regexes, organization_id=organization_id)
    rows = rows if but is None else rows.exclude(id=but)
    there = sum(slow_patterns(row, row.application.os) for row in rows.select_related("application"))
    if there + wanted > MOST_WITHOUT_LITERAL:
        raise Refused(
            f"An organization may have {MOST_WITHOUT_LITERAL} regular expressions without three characters in a row "
            f"that must be there; here are {there} already. Each is tried on every file. Name a folder or a part of "
            "the file name in it, or write a wildcard.",
            code="too_many_slow_regexes",
        )


def slow_patterns(rule: RuleText, os: str) -> int:
    """How many boxes of the rule hold an expression that is tried on every file."""
    patterns = (unquoted(getattr(rule, field)) for field in PATTERN_FIELDS)
    return sum(is_regex(p) and has_no_literal(p[len(REGEX_PREFIX) :], os) for p in patterns)
