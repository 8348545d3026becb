"""`/api/v1/schema/` and `/api/v1/docs/`: the description for programs, and the same as one readable page.

The page is our own, made from the schema: no script, no foreign style, so it works under the strict content
security policy. Both are public on purpose: they tell what the source tells, and nothing about this server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from portal.common.api.problems import PROBLEM_TYPE
from portal.common.api.schema import PROBLEM_STATUSES

INTRODUCTION = """Everything a technician can click, a token can call. Send `Authorization: Bearer <token>`.
Names are fixed within v1: fields may be added, never renamed or removed."""


def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the REST API."""
    generator: Any = SchemaGenerator  # untyped in drf-spectacular
    made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document as JSON."""
    return JsonResponse(description(), content_type="application/vnd.oai.openapi+json;version=3.1")


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    note: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    success: str
    examples: list[tuple[str, str]] = field(default_factory=list)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same description as one page for people."""
    document = description()
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = _operation(document, path, method, operation)
            groups.setdefault((operation.get("tags") or ["other"])[0], []).append(shown)
    context = {"introduction": INTRODUCTION, "groups": groups, "problems": PROBLEM_STATUSES}
    return render(request, "api/docs.html", context)


def unknown_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """The answer to every address beneath /api/v1/ that there is not."""
    hint = "" if request.path.endswith("/") else " Every address ends with a slash."
    body = {
        "type": "/api/v1/docs/#problem-404",
        "title": "Not found",
        "status": 404,
        "detail": f"There is no such address.{hint}",
    }
    return JsonResponse(body, status=404, content_type=PROBLEM_TYPE)


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> Operation:
    success = next(code for code in operation["responses"] if code.startswith("2"))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = operation["responses"][success].get("content", {}).get("application/json", {})
    examples = [
        (label, json.dumps(example["value"], indent=2, ensure_ascii=False))
        for label, content in (("Body", body), ("Answer", answer))
        for example in content.get("examples", {}).values()
    ]
    summary = operation.get("summary", "")
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=summary,
        description=operation.get("description", "").removeprefix(summary).strip(),
        parameters=[_parameter(p) for p in operation.get("parameters", [])],
        body=list(_fields(document, body.get("schema", {}))),
        answer=[replace(f, required=False) for f in _fields(document, answer.get("schema", {}))],
        success=success,
        examples=examples,
    )


def _parameter(parameter: dict[str, Any]) -> Field:
    where = {"path": "in the address", "header": "header", "query": "query"}[parameter["in"]]
    kind = f"{_kind(parameter['schema'])}, {where}"
    note = parameter.get("description", parameter["schema"].get("description", ""))
    return Field(parameter["name"], kind, note, parameter.get("required", False))


def _fields(document: dict[str, Any], schema_part: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object, nested ones as `scope.level` and `results[].id`, three levels deep."""
    found = _resolved(document, schema_part)
    required = set(found.get("required", []))
    for name, part in found.get("properties", {}).items():
        inner = _resolved(document, part)
        listed = inner.get("type") == "array"
        leaf = _resolved(document, inner["items"]) if listed else inner
        yield Field(prefix + name, _kind(inner, leaf), part.get("description", ""), name in required)
        if "properties" in leaf and depth < 2:
            yield from _fields(document, leaf, f"{prefix}{name}{'[]' if listed else ''}.", depth + 1)


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    for holder in ("allOf", "oneOf", "anyOf"):
        if part.get(holder):
            part = next((p for p in part[holder] if "$ref" in p), part[holder][0])
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        resolved: dict[str, Any] = document["components"]["schemas"][name]
        return resolved
    return part


def _kind(part: dict[str, Any], leaf: dict[str, Any] | None = None) -> str:
    if part.get("type") == "array":
        return f"list of {_kind(leaf or part['items'])}"
    if "enum" in part:
        return " | ".join(str(value) for value in part["enum"] if value is not None)
    types = part.get("type", "object")
    words = " or ".join(types) if isinstance(types, list) else str(types)
    return f"{words} ({part['format']})" if "format" in part else words
