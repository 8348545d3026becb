"""All of lint over one policy set."""

from collections.abc import Iterable

from policies.engine.lint.application_checks import application_findings
from policies.engine.lint.cover import Cover
from policies.engine.lint.findings import Code, Found
from policies.engine.lint.policy_checks import policy_findings
from policies.engine.lint.policy_set import PolicySet
from policies.engine.lint.shadowing import shadowed

_RANK = {"danger": 0, "warn": 1, "info": 2}
_CODES = {code: rank for rank, code in enumerate(Code)}


def lint(world: PolicySet) -> list[Found]:
    """Every finding, worst first, then by code. What does not apply to this operating system is not said."""
    cover = Cover(world.applications, world.os)
    return worst_first([*about_policies(world, cover), *application_findings(world, cover)])


def about_policies(world: PolicySet, cover: Cover) -> list[Found]:
    """The findings about policies, by a cover of the same applications that was made before."""
    return [*shadowed(world, cover), *policy_findings(world, cover)]


def worst_first(found: Iterable[Found]) -> list[Found]:
    return sorted(found, key=lambda one: (_RANK[one.severity], _CODES[one.code]))
