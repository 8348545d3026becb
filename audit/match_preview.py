"""What rules meet in reality: which of all that was seen they match, before anything is saved.

The database narrows by hash, by what paths and signers must contain, and by the programs that rules name; it gives only
what was seen in organizations in reach. The engine decides exactly. Every limit that is met is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit.search_scope import organization_numbers
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.normal_form import normal_certificate, normal_facts, normal_hash
from policies.engine.pattern_error import PatternError
from policies.engine.patterns import ABSENT, UndefinedVariable, fragments, is_regex, is_wildcard, normal_pattern
from policies.engine.rules import FileRule, RuleError, check_rule
from policies.previews import WINDOW_DAYS, Example, MatchPreview
from policies.regex_budget import MOST_WITHOUT_LITERAL, slow_patterns
from policies.strength import RuleText
from portal.common import clock
from portal.tenants.models import ComputerGroup, Organization
from portal.tenants.reach import Reach

MOST_CELLS = 20_000
MOST_HASHES = 20_000
MOST_PATTERN_RULES = 200
MOST_FILES_COUNTED = 2_000
MOST_EVENTS_COUNTED = 100_000
MOST_WALKED_MS = 600
_EXAMPLES = 5
_RULES = "rules"


class _Cell(NamedTuple):
    """What was seen of one file with the same launcher and writer in one organization, on one day or on several."""

    organization: int
    file: int
    process: int
    created_by: int
    sha256: str
    path: str
    certificate: str
    process_path: str
    created_by_path: str
    events: int
    denied: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class _Question:
    """What the store is asked."""

    organizations: list[int]
    low: datetime
    other_groups: list[int]
    hashes: list[bytes]
    needles: list[dict[str, str]]


def match_preview(
    reach: Reach,
    os: str,
    rules: Sequence[RuleText],
    organization: Organization | None = None,
    days: int = WINDOW_DAYS,
) -> MatchPreview:
    """What any of `rules` matches of all that was seen since midnight (UTC) `days` days ago, on computers with `os`, in
    `organization` and beneath it, or in all organizations in reach. Rules that cannot be saved are left out.
    """
    readable = [rule for rule in map(_engine_rule, rules) if _is_readable(rule, os)]
    unreadable = len(readable) < len(rules)
    if not readable:
        return MatchPreview(unreadable=unreadable)
    tried = _tried(readable, os)
    question = _question(reach, os, tried, organization, days)
    cells, is_cut = _cells(question)
    matched = _verified(cells, tried, os)
    computers, few = _computers(question, matched)
    left_off = len(tried) < len(readable)
    return _told(matched, computers, truncated=left_off or is_cut or few, unreadable=unreadable)


def computers_seen(reach: Reach, application_ids: Sequence[UUID], days: int = WINDOW_DAYS) -> dict[UUID, int]:
    """On how many computers in reach each application decided something in the last `days` days, but for what was
    received within the last minute or so. A missing id is none. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT application, count(*) FROM audit_application_computer WHERE application = ANY (%s::uuid[])"
            " AND organization_number = ANY (%s::int[]) AND last_day > %s GROUP BY 1",
            [list(application_ids), organization_numbers(reach, None, children=False),
             clock.now().date() - timedelta(days=days)],
        )  # fmt: skip
        return dict(cursor.fetchall())


def _engine_rule(rule: RuleText) -> FileRule:
    return FileRule("", rule.hash, rule.path, rule.process, rule.created_by, rule.certificate)


def _is_readable(rule: FileRule, os: str) -> bool:
    try:
        check_rule(rule, os)
    except RuleError:
        return False
    return True


def _tried(rules: Sequence[FileRule], os: str) -> list[FileRule]:
    """As many of the rules as one preview tries. An expression that is tried on every file is kept to the number of
    them that may be saved: nobody keeps a process busy with twenty thousand of them."""
    hashed = [rule for rule in rules if rule.hash.strip()][:MOST_HASHES]
    patterned = [rule for rule in rules if not rule.hash.strip()]
    slow = [rule for rule in patterned if slow_patterns(rule, os)][:MOST_WITHOUT_LITERAL]
    quick = [rule for rule in patterned if not slow_patterns(rule, os)]
    return [*hashed, *slow, *quick[: MOST_PATTERN_RULES - len(slow)]]


def _question(
    reach: Reach, os: str, rules: Sequence[FileRule], organization: Organization | None, days: int
) -> _Question:
    hashed = [rule for rule in rules if rule.hash.strip()]
    patterned = [rule for rule in rules if not rule.hash.strip()]
    midnight = datetime.combine(clock.now().date(), time.min, clock.now().tzinfo)
    others = ComputerGroup.objects.within(reach).exclude(os=os)
    return _Question(
        organizations=organization_numbers(reach, organization, children=True),
        low=midnight - timedelta(days=days),
        other_groups=list(others.values_list("number", flat=True)),
        hashes=list({bytes.fromhex(normal_hash(rule.hash)) for rule in hashed}),
        needles=[_needle(rule, os) for rule in patterned],
    )


def _needle(rule: FileRule, os: str) -> dict[str, str]:
    """For each box a LIKE pattern that is wider than the box: whatever the rule matches is like it, in any case."""
    found = {}
    for name in ("path", "process", "created_by"):
        typed = getattr(rule, name)
        try:
            pattern = normal_pattern(typed, os) if typed.strip() else ABSENT
        except (PatternError, UndefinedVariable):  # refused by check_rule: not here
            continue
        literals = _literals(pattern, os)
        if literals:
            found[name] = f"%{'%'.join(_like(text) for text in literals)}%"
    if rule.certificate.strip():
        found["certificate"] = "%" + _like(normal_certificate(rule.certificate)).replace(" ", "%") + "%"
    return found


def _literals(pattern: str, os: str) -> list[str]:
    if pattern == ABSENT:
        return []
    return fragments(pattern, os) if is_regex(pattern) or is_wildcard(pattern) else [pattern]


def _like(text: str) -> str:
    """A literal as LIKE takes it. A separator may be stored as either slash; beyond ASCII the engine decides."""
    return "".join(map(_like_character, text))


def _like_character(char: str) -> str:
    if not " " <= char <= "~":
        return "%"
    if char in "\\/":
        return "_"
    return f"\\{char}" if char in "%_" else char


def _cells(question: _Question) -> tuple[list[_Cell], bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM audit_rule_cells(%s::int[], %s, %s::int[], %s::bytea[], %s::jsonb, %s, %s)",
            [question.organizations, question.low, question.other_groups, question.hashes,
             json.dumps(question.needles), MOST_CELLS, MOST_WALKED_MS],
        )  # fmt: skip
        rows = cursor.fetchall()
    return [_Cell(*row) for row in rows if row[0] is not None], any(row[0] is None for row in rows)


def _verified(cells: Iterable[_Cell], rules: Sequence[FileRule], os: str) -> list[_Cell]:
    """The cells that the engine says some rule matches. The same facts are asked once."""
    engine = Engine((Application(_RULES, "", builtin=False, rules=tuple(rules)),), (), os)
    asked: dict[tuple[int, int, int], bool] = {}
    found = []
    for cell in cells:
        key = (cell.file, cell.process, cell.created_by)
        if key not in asked:
            asked[key] = bool(engine.matching_rules(normal_facts(_facts(cell, os))))
        if asked[key]:
            found.append(cell)
    return found


def _facts(cell: _Cell, os: str) -> FileFacts:
    certificates = (cell.certificate,) if cell.certificate else ()
    return FileFacts(cell.path, cell.sha256, certificates, cell.process_path, cell.created_by_path, os=os)


def _computers(question: _Question, matched: Sequence[_Cell]) -> tuple[dict[int | None, int], bool]:
    """(computers by file, all of them under None; whether not all could be counted)."""
    triples = list(dict.fromkeys((cell.file, cell.process, cell.created_by) for cell in matched))
    counted = set(list(dict.fromkeys(file for file, _, _ in triples))[:MOST_FILES_COUNTED])
    asked = [triple for triple in triples if triple[0] in counted]
    if not asked:
        return {}, False
    columns: list[Any] = [list(column) for column in zip(*asked, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT file_id, computers FROM audit_rule_computers(%s::int[], %s, %s::int[], %s::bigint[], %s::bigint[],"
            " %s::bigint[], %s)",
            [question.organizations, question.low, question.other_groups, *columns, MOST_EVENTS_COUNTED],
        )
        found: dict[int | None, int] = dict(cursor.fetchall())
    return found, found.pop(-1, None) is not None or len(asked) < len(triples)


def _told(
    matched: Sequence[_Cell], computers: dict[int | None, int], *, truncated: bool, unreadable: bool
) -> MatchPreview:
    permitted = {(cell.organization, cell.file) for cell in matched if cell.events > cell.denied}
    denied = {(cell.organization, cell.file) for cell in matched if cell.denied}
    only_denied = {file for organization, file in denied - permitted}
    return MatchPreview(
        files=len({cell.file for cell in matched if cell.file}),
        computers=computers.get(None, 0),
        organizations=len({cell.organization for cell in matched}),
        events=sum(cell.events for cell in matched),
        examples=_examples(matched, computers, only_denied),
        truncated=truncated,
        denied_events=sum(cell.denied for cell in matched),
        denied_files=len({file for _, file in denied}),
        only_denied=len(only_denied),
        unreadable=unreadable,
    )


def _examples(matched: Sequence[_Cell], computers: dict[int | None, int], only_denied: set[int]) -> tuple[Example, ...]:
    """At most five files: first those that would newly run, then the newest."""
    newest: dict[int, _Cell] = {}
    denied: dict[int, int] = {}
    for cell in matched:
        denied[cell.file] = denied.get(cell.file, 0) + cell.denied
        if cell.file and (cell.file not in newest or cell.last_at > newest[cell.file].last_at):
            newest[cell.file] = cell
    order = sorted(newest.values(), key=lambda cell: (cell.file not in only_denied, -cell.last_at.timestamp()))
    return tuple(
        Example(cell.path, cell.sha256, cell.certificate, computers.get(cell.file, 0), denied[cell.file])
        for cell in order[:_EXAMPLES]
    )
