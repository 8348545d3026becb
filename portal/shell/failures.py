"""Pages of what went wrong outside of any view: unknown addresses, missing tokens, faults. They never raise,
and the page of a fault asks neither the database nor the session."""

from __future__ import annotations

import secrets
import sys
from typing import cast

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from portal.common.errors import Busy, Forbidden, NotFound, PortalError
from portal.common.htmx import PortalRequest, error_response

log = structlog.get_logger(__name__)
MACHINES = ("/api/", "/agent/")


class BadRequest(PortalError):
    status = 400
    title = "Bad request"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, BadRequest("The request could not be read."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, NotFound())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, Forbidden("", "This is not allowed."))


def without_token(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: most often a page that was open while somebody signed in again."""
    log.warning("csrf.refused", path=request.path, reason=reason)
    words = "This page is older than your session. Load it again, then send the form once more."
    response = _answer(request, Forbidden("", words))
    if request.headers.get("HX-Request"):
        response["HX-Refresh"] = "true"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """The fault itself is logged by Django; the reference ties what a person saw to that moment of the log."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _database_away(request)
    reference = secrets.token_hex(4).upper()
    log.error("request.failed", path=request.path, reference=reference)
    if request.path.startswith(MACHINES):
        return _problem("Server error", 500, f"The fault is in the log under {reference}.")
    page = render_to_string("errors/server_error.html", {"status": 500, "reference": reference})
    return HttpResponse(page, status=500)


def _database_away(request: HttpRequest) -> HttpResponse:
    """The database does not answer: it restarts, or is overloaded. Coming back is all it takes."""
    error = Busy(5, "The database does not answer at the moment.")
    if request.path.startswith(MACHINES):
        response = _problem(error.title, error.status, f"{error.message} Nothing was changed.")
    else:
        page = render_to_string(
            "errors/server_error.html", {"status": error.status, "error": error, "request": request}
        )
        response = HttpResponse(page, status=error.status)
    response["Retry-After"] = str(error.retry_after_seconds)
    return response


def _answer(request: HttpRequest, error: PortalError) -> HttpResponse:
    if request.path.startswith(MACHINES):
        return _problem(error.title, error.status, error.message)
    return error_response(cast(PortalRequest, request), error)


def _problem(title: str, status: int, detail: str) -> HttpResponse:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JsonResponse(body, status=status, content_type="application/problem+json")
