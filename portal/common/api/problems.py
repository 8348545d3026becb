"""Errors as RFC 9457 `application/problem+json`: one table from exception to answer, used by every API
view.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from portal.common import errors
from portal.common.api.parsers import escape_pointer
from portal.common.errors import FieldError

PROBLEM_TYPE = "application/problem+json"
UNIQUE_VIOLATION = "23505"


def problem(status: int, title: str, detail: str = "", faults: Sequence[FieldError] = (), **members: Any) -> Response:
    """A problem answer; its `type` names the section of the documentation page about that status."""
    body: dict[str, Any] = {"type": f"/api/v1/docs/#problem-{status}", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if faults:
        body["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults]
    body.update({name: value for name, value in members.items() if value})
    return Response(body, status=status, content_type=PROBLEM_TYPE)


def problem_for(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None for what nobody foresaw: that is a 500, and stays one."""
    if isinstance(error, errors.PortalError):
        return _portal_problem(error)
    if isinstance(error, exceptions.APIException):
        return _framework_problem(error)
    if isinstance(error, ValidationError):
        return problem(422, "Invalid input", " ".join(error.messages))
    if isinstance(error, RequestDataTooBig):
        return problem(413, "Too large", "The body is larger than this server takes.")
    if isinstance(error, Http404):
        return problem(404, "Not found")
    if isinstance(error, PermissionDenied):
        return problem(403, "Not allowed", str(error))
    return _database_problem(error)


def _portal_problem(error: errors.PortalError) -> Response:
    members = {"capability": getattr(error, "capability", ""), "code": getattr(error, "code", "")}
    answer = problem(error.status, error.title, error.message, getattr(error, "errors", ()), **members)
    if isinstance(error, errors.TooMany | errors.Busy):
        answer["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _framework_problem(error: exceptions.APIException) -> Response:
    if isinstance(error, exceptions.ValidationError):
        faults = tuple(_faults(error.detail))
        return problem(422, "Invalid input", " ".join(map(_in_words, faults[:3])), faults)
    title = HTTPStatus(error.status_code).phrase
    answer = problem(error.status_code, title, str(error.detail))
    if header := getattr(error, "auth_header", None):
        answer["WWW-Authenticate"] = header
    if (seconds := getattr(error, "wait", None)) is not None:
        answer["Retry-After"] = str(max(1, math.ceil(seconds)))
    return answer


def _in_words(fault: FieldError) -> str:
    return f"{fault.pointer.lstrip('/')}: {fault.detail}" if fault.pointer else fault.detail


def _faults(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """DRF's nested error detail, one entry a leaf. Faults of the whole body have the pointer of the body."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            whole = name == "non_field_errors"
            yield from _faults(inner, pointer if whole else f"{pointer}/{escape_pointer(str(name))}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _faults(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        yield FieldError(pointer, str(detail))


def _database_problem(error: Exception) -> Response | None:
    if isinstance(error, OperationalError | InterfaceError):
        answer = problem(503, "Busy", "The database does not answer or is overloaded. Nothing was changed.")
        answer["Retry-After"] = "5"
        return answer
    if isinstance(error, IntegrityError) and getattr(error.__cause__, "sqlstate", "") == UNIQUE_VIOLATION:
        return problem(409, "Conflict", "Something with the same identity exists already. Nothing was changed.")
    return None
