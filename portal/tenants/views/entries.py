"""The System Audit: what people, tokens and the portal itself did; the proof that nothing is missing; export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_POST, require_safe

from portal.common import clock
from portal.common.csv_text import csv_lines
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import keyset
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.exports import ENTRY_COLUMNS, entry_lines
from portal.tenants.forms import EntryFilter
from portal.tenants.searches import entries_matching, verifications


@require_safe
@needs(Capability.JOURNAL_READ, everywhere=True)
def entry_list(request: PortalRequest) -> HttpResponse:
    asked = _asked(request)
    page = keyset(entries_matching(request.reach, **asked), order=("-at", "-id"), after=request.GET.get("after", ""))
    names = {o.id: o for o in queries.organizations(request.reach)}
    rows = [(entry, names.get(entry.organization_id)) for entry in page.rows]
    context = {"page": page, "rows": rows, "asked": asked, "verified": None}
    return respond(request, "tenants/entries.html", context, fragments={"entry-table", "rows"})


@require_safe
@needs(Capability.JOURNAL_READ)
def entry_detail(request: PortalRequest, entry: str) -> HttpResponse:
    found = queries.entry(request.reach, request.organization.id, entry)
    return respond(request, "tenants/entry.html", {"entry": found}, fragments={"drawer"})


@require_POST
@needs(Capability.JOURNAL_READ, everywhere=True)
def entry_verify(request: PortalRequest) -> HttpResponse:
    """Recompute the chains. POST because it reads everything; it changes nothing."""
    slug = request.organization.slug if request.organization else ""
    found = verifications(request.reach, organization=slug)
    context = {"found": found, "whole": all(v.whole for v in found), "at": clock.now()}
    return respond(request, "tenants/verification.html", context, fragments={"verification"})


@require_safe
@needs(Capability.JOURNAL_READ, everywhere=True)
def entry_export(request: PortalRequest) -> HttpResponse:
    """All entries that the filters leave, as CSV; the export is itself told."""
    lines: Iterator[str] = csv_lines(ENTRY_COLUMNS, entry_lines(request.reach, _asked(request)))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="system-audit.csv"'
    return cast(HttpResponse, answer)


def _asked(request: PortalRequest) -> dict[str, Any]:
    asked = EntryFilter(request.GET).asked()
    return {**asked, **({"organization": request.organization.slug} if request.organization else {})}
