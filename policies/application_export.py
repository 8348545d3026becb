"""The list of applications as CSV, with nothing in it that a spreadsheet would run. It stands in the System Audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from django.http import HttpResponse, StreamingHttpResponse

from policies.application_list import ApplicationTerms, applications_listed
from policies.application_rows import ApplicationRow, application_rows
from portal.common import clock
from portal.common.csv_text import csv_lines
from portal.common.paging import keyset
from portal.tenants import journal, queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching

COLUMNS = (
    "id", "name", "origin", "organization", "os", "category", "publisher", "hidden", "rules", "rules_hash",
    "rules_path", "rules_signer", "rules_program", "strength", "policies", "computers_30d", "matches_30d",
    "last_matched_at", "created_at", "created_by", "changed_at", "changed_by",
)  # fmt: skip
_AT_ONCE = 200


def csv_response(reach: Reach, organization: Organization | None, terms: ApplicationTerms) -> HttpResponse:
    """Every row of the list, streamed, page by page, each in a transaction of its own. Records the export first."""
    asked = {name: getattr(terms, name) for name in terms.__slots__ if getattr(terms, name)}
    for organization_id in [organization.id] if organization else queries.topmost(reach, Capability.APPLICATION_READ):
        journal.record(reach, "application.list_exported", organization, organization_id=organization_id, asked=asked)
    lines = csv_lines(COLUMNS, _rows(reach, organization, terms))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="applications-{clock.now():%Y%m%d-%H%M%S}.csv"'
    response["Cache-Control"] = "no-store"
    return cast(HttpResponse, response)


def _rows(reach: Reach, organization: Organization | None, terms: ApplicationTerms) -> Iterator[tuple[object, ...]]:
    after, is_first = "", True
    while after or is_first:
        is_first = False
        with reaching(reach):
            found = applications_listed(reach, organization, terms)
            page = keyset(found, order=terms.order, after=after, size=_AT_ONCE)
            rows = application_rows(reach, organization, page.rows)
        yield from map(_cells, rows)
        after = page.next


def _cells(row: ApplicationRow) -> tuple[object, ...]:
    one, rules = row.application, row.rules
    owner = one.organization.name if one.organization else ""
    last = row.matches.last_at.isoformat(timespec="seconds") if row.matches.last_at else ""
    return (
        one.id, row.name, one.kind, owner, one.os, one.category, one.publisher, one.hidden, rules.total, rules.hash,
        rules.path, rules.signer, rules.program, row.strength.score if row.strength else "",
        sum(use.number for use in row.uses), row.computers, row.matches.count, last,
        one.created_at.isoformat(timespec="seconds"), one.created_by, one.changed_at.isoformat(timespec="seconds"),
        one.changed_by,
    )  # fmt: skip
