"""The house rules as code: size budgets, reach first, no rows at the edges, task names that exist."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from django.db import models

from portal.common import queue

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("portal", "policies", "audit", "agents")
EDGES = re.compile(r"(^|/)(views|api|tasks|commands)(/|\.py$)")
FORBIDDEN_NAMES = {"utils", "helpers", "services", "manager", "managers", "misc"}


def product_files() -> list[Path]:
    return sorted(p for floor in FLOORS for p in (ROOT / floor).rglob("*.py") if "migrations" not in p.parts)


def files_of_tests() -> list[Path]:
    return sorted((ROOT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_module_is_longer_than_its_budget() -> None:
    long = [f"{name(p)}: {n}" for p in product_files() if (n := len(p.read_text().splitlines())) > 400]
    long += [f"{name(p)}: {n}" for p in files_of_tests() if (n := len(p.read_text().splitlines())) > 500]
    assert long == []


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = [
        f"{name(p)}:{f.lineno} {f.name}: {lines_of(f)}"
        for p in product_files()
        for f in functions(ast.parse(p.read_text()))
        if lines_of(f) > 50
    ]
    assert long == []


def test_nearly_all_functions_are_short() -> None:
    sizes = sorted(lines_of(f) for p in product_files() for f in functions(ast.parse(p.read_text())))
    assert sizes[int(len(sizes) * 0.95)] <= 30


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [name(p) for p in product_files() if p.stem in FORBIDDEN_NAMES or p.parent.name in FORBIDDEN_NAMES] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name(p)
        for p in product_files()
        if p.name not in {"__init__.py", "apps.py", "__main__.py"} and not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []


def test_edges_hold_no_query_of_their_own() -> None:
    """Views, API, tasks and commands call one activity or query; they never reach for rows themselves."""
    found = [
        f"{name(p)}:{node.lineno}"
        for p in product_files()
        if EDGES.search(name(p)) and not name(p).startswith("portal/common/api/")
        for node in ast.walk(ast.parse(p.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"objects", "rows"} and _is_model_manager(node)
    ]
    assert found == []


def _is_model_manager(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id[:1].isupper()


def test_nothing_but_the_tenant_models_uses_the_plain_manager_at_an_edge() -> None:
    pattern = re.compile(r"\.(_default_manager|_base_manager)\b")
    assert [name(p) for p in product_files() if EDGES.search(name(p)) and pattern.search(p.read_text())] == []


@pytest.mark.parametrize(
    "module",
    ["policies.catalogue", "policies.authoring", "policies.queries", "audit.search", "audit.approvals",
     "agents.deploy", "agents.enrolment", "portal.tenants.administration", "portal.tenants.queries"],
)  # fmt: skip
def test_activities_and_queries_take_the_reach_first(module: str) -> None:
    loaded = import_module(module)
    wrong = []
    for label, thing in inspect.getmembers(loaded, inspect.isfunction):
        if label.startswith("_") or thing.__module__ != module:
            continue
        parameters = list(inspect.signature(thing).parameters)
        if _touches_rows(thing) and parameters[:1] not in (["reach"], ["request"]):
            wrong.append(label)
    assert wrong == []


def _touches_rows(thing: object) -> bool:
    return ".objects." in inspect.getsource(thing)  # type: ignore[arg-type]


def test_every_task_that_is_sent_exists() -> None:
    sent = set()
    for path in product_files():
        sent |= set(re.findall(r"""(?:after_commit|publish|send_task)\(\s*["']([a-z_.]+)["']""", path.read_text()))
    from django.conf import settings

    sent |= {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    queue.app.autodiscover_tasks(force=True)
    assert sent - set(queue.app.tasks) == set()


def test_stored_patterns_never_meet_pythons_own_regular_expressions() -> None:
    """`re` backtracks: a pattern of a person's could stop a computer. Only literal patterns are allowed."""
    found = []
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in {"compile", "match", "search", "fullmatch", "sub", "findall", "finditer", "split"}
                and node.args
                and not _is_literal(node.args[0])
            ):
                found.append(f"{name(path)}:{node.lineno}")
    assert found == []


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id.isupper() or node.id.startswith("_")
    if isinstance(node, ast.BinOp):
        return _is_literal(node.left) and _is_literal(node.right)
    return isinstance(node, ast.JoinedStr) and all(
        _is_literal(v) or isinstance(v, ast.FormattedValue) for v in node.values
    )


def test_nothing_is_left_for_later() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
    assert [name(p) for p in product_files() if pattern.search(p.read_text())] == []


def test_no_model_form_offers_everybodys_rows() -> None:
    assert [
        name(p) for p in product_files() if re.search(r"\bModelForm\b|fields\s*=\s*[\"']__all__", p.read_text())
    ] == []


def test_every_tenant_model_has_the_fail_closed_manager() -> None:
    from django.apps import apps

    from portal.tenants.scoping import Scoped

    open_doors = [
        model.__name__
        for model in apps.get_models()
        if model.__module__.split(".")[0] in FLOORS
        and any(isinstance(f, models.ForeignKey) and f.name == "organization" for f in model._meta.get_fields())
        and not isinstance(getattr(model, "objects", None), Scoped)
    ]
    assert open_doors == []
