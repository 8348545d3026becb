"""Events as CSV: streamed, quoted, with nothing a spreadsheet would run. Each export stands in the System Audit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import cast

from django.http import HttpResponse, StreamingHttpResponse

from audit import search
from audit.event_rows import EventRow
from audit.search_terms import EventTerms
from portal.common import clock
from portal.tenants import journal, queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching

_AT_ONCE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")
COLUMNS = (
    "id", "received_at", "occurred_at", "organization", "group", "computer", "user", "decision", "action_type", "mode",
    "path", "sha256", "certificate", "process", "created_by", "command_line", "policy", "application", "bundle_version",
)  # fmt: skip


class _Line:
    """What csv.writer writes into: it hands each line on."""

    def write(self, text: str) -> str:
        return text


def csv_lines(reach: Reach, terms: EventTerms, *, organization: Organization | None = None) -> Iterator[str]:
    """Every match, newest first, as lines of CSV with a head. Records the export before the first line.

    The lines are read page by page, each page in a transaction of its own: they outlive the request's.
    """
    record_export(reach, terms, organization)
    return _lines(reach, terms, organization)


def csv_response(lines: Iterable[str]) -> HttpResponse:
    """The download. Its name is ours: nothing of an endpoint is in it."""
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{clock.now():%Y%m%d-%H%M%S}.csv"'
    response["Cache-Control"] = "no-store"
    return cast(HttpResponse, response)


def record_export(reach: Reach, terms: EventTerms, organization: Organization | None) -> None:
    """One entry in the System Audit of the organization, or of each topmost one in reach."""
    query = str(terms.query)
    for organization_id in [organization.id] if organization else queries.topmost(reach, Capability.AUDIT_READ):
        journal.record(reach, "audit.exported", organization, organization_id=organization_id, query=query)


def _lines(reach: Reach, terms: EventTerms, organization: Organization | None) -> Iterator[str]:
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield _written(writer.writerow(COLUMNS))
    after, is_first = "", True
    while after or is_first:
        is_first = False
        with reaching(reach):
            page = search.events(reach, terms, organization=organization, after=after, size=_AT_ONCE)
        for row in page.rows:
            yield _written(writer.writerow([safe_cell(value) for value in _cells(row)]))
        after = page.next


def _written(line: object) -> str:
    return str(line)


def safe_cell(value: str) -> str:
    """The value as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def _cells(row: EventRow) -> tuple[str, ...]:
    return (
        row.id,
        _iso(row.received_at),
        _iso(row.occurred_at),
        row.organization.name if row.organization else "",
        row.group.name if row.group else "",
        row.computer_name,
        row.user,
        row.outcome.word,
        row.action_type.word,
        row.mode.word,
        row.path,
        row.sha256,
        row.certificate,
        row.process,
        row.created_by,
        row.command_line,
        row.policy_name,
        row.application_name,
        str(row.bundle_version),
    )


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
