"""The description of the API is whole, valid, and readable without a script."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.validation import validate_schema

from portal.accounts.models import User
from portal.common.api.docs import description
from portal.tenants.api import examples
from portal.tenants.models import Organization
from tests import factories
from tests.portal.api.caller import Caller


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return description()


def routes() -> list[URLPattern]:
    def walk(patterns: list[Any], prefix: str) -> list[tuple[str, URLPattern]]:
        found = []
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                found += walk(pattern.url_patterns, path)
            else:
                found.append((path, pattern))
        return found

    return [p for path, p in walk(get_resolver().url_patterns, "") if path.startswith("api/v1/")]


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate_schema(json.loads(json.dumps(document, default=str)))


def test_it_describes_every_method_of_every_view(document: dict[str, Any]) -> None:
    described = sum(len(methods) for methods in document["paths"].values())
    views = [p.callback.cls for p in routes() if hasattr(p.callback, "cls")]  # type: ignore[attr-defined]
    assert described == sum(len(view.needs) for view in views)
    assert described > 0


def test_every_operation_says_what_it_does_and_which_problems_it_has(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert {"401", "403", "404", "422", "429"} <= operation["responses"].keys(), (method, path)


def test_writes_name_their_parameters(document: dict[str, Any]) -> None:
    names = {p["name"] for p in document["paths"]["/api/v1/organizations/"]["post"]["parameters"]}
    assert {"dry_run", "Idempotency-Key"} <= names


def test_the_schema_and_the_page_are_served() -> None:
    served = Client().get("/api/v1/schema/")
    assert served.json()["paths"]
    page = Client().get("/api/v1/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "organizations_create" in text
    assert 'id="problem-422"' in text
    assert "<script>" not in text and "style=" not in text


def test_an_example_has_the_fields_of_its_answer(reader: User, able_moose: Organization) -> None:
    computer = factories.computer(factories.group(able_moose, "Finance"), "FIN-LT-07")
    caller = Caller(reader)
    shown = {
        f"organizations/{able_moose.id}/": examples.ORGANIZATION,
        f"computer-groups/{computer.group_id}/": examples.GROUP,
        f"computers/{computer.id}/": examples.COMPUTER,
    }
    for path, example in shown.items():
        assert list(caller.get(path).json()) == list(example), path
