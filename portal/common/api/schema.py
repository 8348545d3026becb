"""The OpenAPI 3.1 description, read from what each view declares: `needs`, `body`, `answer`, `query`,
`examples`.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, inline_serializer
from rest_framework import serializers

from portal.common.api.serializers import ProblemSerializer

API_PREFIX = r"/api/v1"
PROBLEM_STATUSES = {
    401: "No token, or one that is wrong, expired or revoked.",
    403: "In reach, but the capability is missing; `detail` names it.",
    404: "There is no such thing, or it is out of reach: the two are never told apart.",
    409: "Somebody else was first, or the Idempotency-Key belongs to another request.",
    412: "If-Match names a version that is no longer the current one.",
    413: "The body is too large.",
    422: "The input is invalid, or a rule refuses it; `errors` says where.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "The database does not answer or is overloaded; nothing was changed. Retry-After says when to retry.",
}
_READ_PROBLEMS = (401, 403, 404, 422, 429)
_WRITE_PROBLEMS = (401, 403, 404, 409, 412, 413, 422, 429)
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_VERBS = {"GET": "retrieve", "POST": "create", "PUT": "replace", "PATCH": "change", "DELETE": "delete"}

_PAGE_PARAMETERS = [
    OpenApiParameter("after", str, description="The cursor of a page, as `next` and `previous` carry it."),
    OpenApiParameter("page_size", int, description="Rows a page, 1 to 500; 50 unless given."),
    OpenApiParameter("count", bool, description="true adds `count`, the number of rows of the whole list."),
]
_WRITE_PARAMETERS = [
    OpenApiParameter("dry_run", bool, description="true: check everything, answer as if done, keep nothing."),
    OpenApiParameter(
        "Idempotency-Key",
        str,
        OpenApiParameter.HEADER,
        description="The same key with the same request within 24 hours gives the first answer again.",
    ),
]
_MATCH_PARAMETER = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag that was read; 412 when it is no longer current.",
)


class PortalSchema(AutoSchema):
    """Describes a PortalAPIView; see there for what is read."""

    view: Any

    def is_excluded(self) -> bool:
        return not hasattr(self.view, "needs") or self.method not in self.view.needs

    def get_operation_id(self) -> str:
        steps = [step.replace("-", "_") for step in self._tokenize_path()] or ["root"]
        verb = "list" if self._lists() else _VERBS[self.method]
        return "_".join([*steps, verb])

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular declares it
        handler = getattr(self.view, self.method.lower())
        text = inspect.getdoc(handler) or inspect.getdoc(type(self.view)) or ""
        need = self.view.needs[self.method]
        return f"{text}\n\nNeeds the capability `{need}`." if need else text

    def get_summary(self) -> str:
        return self.get_description().partition("\n")[0]

    def get_auth(self) -> list[dict[str, Any]]:
        return [{"token": []}, {"session": []}]

    def get_request_serializer(self) -> Any:
        return self.view.body.get(self.method)

    def get_response_serializers(self) -> Any:
        problems = {
            (status, "application/problem+json"): ProblemSerializer
            for status in (_WRITE_PROBLEMS if self.method in _WRITES else _READ_PROBLEMS)
        }
        return {self._success(): self._answer(), **problems}

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if self.method == "GET" and self.view.query is not None:
            parameters.append(self.view.query)
        if self._lists():
            parameters += _PAGE_PARAMETERS
        if self.method in _WRITES:
            parameters += _WRITE_PARAMETERS
        if self.method in {"PUT", "PATCH", "DELETE"}:
            parameters.append(_MATCH_PARAMETER)
        return parameters

    def get_examples(self) -> list[OpenApiExample]:
        body, answer = self.view.examples.get(self.method, (None, None))
        examples = []
        if body is not None:
            examples.append(OpenApiExample("body", value=body, request_only=True))
        if answer is not None:
            status = str(self._success())
            examples.append(OpenApiExample("answer", value=answer, response_only=True, status_codes=[status]))
        return examples

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False  # pages are described by `_answer`, not by wrapping

    def _lists(self) -> bool:
        return bool(self.view.lists) and self.method == "GET"

    def _success(self) -> int:
        usual = {"DELETE": 204, "POST": 201 if self.view.lists else 200}
        status: int = self.view.statuses.get(self.method, usual.get(self.method, 200))
        return status

    def _answer(self) -> Any:
        if self._success() == 204:
            return None
        serializer = self.view.answer.get(self.method) or self.view.answer.get("GET")
        if serializer is None or not self._lists():
            return serializer
        return _page_of(serializer)


@functools.cache
def _page_of(serializer: type[serializers.Serializer[Any]]) -> Any:
    """One page of answers; the same serializer always gives the same component."""
    name = serializer.__name__.removesuffix("Serializer").removesuffix("Answer")
    return inline_serializer(
        name=f"{name}Page",
        fields={
            "results": serializer(many=True),
            "next": serializers.CharField(allow_null=True, help_text="Address of the next page."),
            "previous": serializers.CharField(allow_null=True, help_text="Address of the page before."),
            "count": serializers.IntegerField(required=False, help_text="Only with ?count=true."),
        },
    )
