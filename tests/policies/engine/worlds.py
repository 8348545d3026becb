"""The small world of the engine's hand-written tests: Able Moose's finance group and what happens there."""

from dataclasses import replace
from typing import Any

from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application, Place, Policy
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule

NOW = 1_774_600_000_000
FINANCE = Place("fin-01", "finance", "able-moose", above=("northwind", "all-windows"))
TOOLS = Application("tools", "Acme Tools", False, (FileRule("tools-1", path="c:\\acme\\*"),))
AGENT = Application("agent", "RMM Agent", True, (FileRule("agent-1", path="c:\\acme\\*"),))
TOOL = normal_facts(FileFacts("c:\\acme\\tool.exe", user="ACME\\Ann"))
STRANGER = normal_facts(FileFacts("c:\\temp\\stranger.exe", user="ACME\\Ann"))

DEFAULT_DENY = Policy("zz-default", "Default - (Finance)", "group", "finance", "deny", order=1_000_000, is_default=True)


def policy(name: str, action: str = "permit", **fields: Any) -> Policy:
    """A policy of the finance group on Acme Tools."""
    base = Policy(name, name, "group", "finance", action, applications=("tools",))  # type: ignore[arg-type]
    return replace(base, **fields)


def at(level: str) -> dict[str, str]:
    target = {"computer": "fin-01", "group": "finance", "organization": "able-moose", "global": "northwind"}[level]
    return {"level": level, "target": target}


def engine(*policies: Policy, applications: tuple[Application, ...] = (TOOLS, AGENT)) -> Engine:
    return Engine(applications, policies, "windows")


def decide(*policies: Policy, facts: FileFacts = TOOL, at_ms: int = NOW, **place: Any) -> Decision:
    return engine(*policies).decide(facts, replace(FINANCE, **place), at_ms)


def explain(*policies: Policy, facts: FileFacts = TOOL, at_ms: int = NOW, **place: Any) -> Decision:
    return engine(*policies).explain(facts, replace(FINANCE, **place), at_ms)
