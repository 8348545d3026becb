"""Lists of the API: `{"results", "next", "previous"}`, by keyset, with a count only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response

from portal.common.api.requests import PortalAPIRequest, flag
from portal.common.errors import FieldError, Invalid
from portal.common.paging import Page, keyset

PAGE_SIZE = 50
PAGE_SIZE_LIMIT = 500
PAGE_PARAMETERS = frozenset({"after", "page_size", "count"})


def page_size(request: PortalAPIRequest) -> int:
    """Rows a page; 50 unless asked. Raises Invalid outside 1 to 500."""
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= PAGE_SIZE_LIMIT):
        raise Invalid([FieldError("/page_size", f"This must be a number from 1 to {PAGE_SIZE_LIMIT}.")])
    return int(text)


def cursor(request: PortalAPIRequest) -> str:
    """The cursor of the wanted page, empty for the first."""
    return request.query_params.get("after", "")


def page_of(request: PortalAPIRequest, rows: QuerySet[Any], order: Sequence[str]) -> Page[Any]:
    """The page of `rows` that the request asks for. One statement."""
    return keyset(rows, order=order, after=cursor(request), size=page_size(request))


def page_answer(
    request: PortalAPIRequest,
    page: Page[Any],
    represent: Callable[[Sequence[Any]], Sequence[Any]],
    *,
    count: Callable[[], int] | None = None,
) -> Response:
    """The answer for one page. Raises Invalid when a count is asked of a list that has none."""
    body: dict[str, Any] = {
        "results": represent(page.rows),
        "next": _link(request, page.next),
        "previous": _link(request, page.previous),
    }
    if flag(request, "count"):
        if count is None:
            raise Invalid([FieldError("/count", "This list is too long to be counted. Narrow it and page through.")])
        body["count"] = count()
    return Response(body)


def _link(request: PortalAPIRequest, after: str) -> str | None:
    if not after:
        return None
    query = request.query_params.copy()
    query["after"] = after
    address: str = request.build_absolute_uri(request.path)
    return f"{address}?{query.urlencode()}"
