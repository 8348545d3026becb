"""The findings of an organization, kept as a row until what they were made of changes.

A small organization is judged when somebody looks; a large one by a task, and the last result is shown meanwhile.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db.models import F, Func, JSONField, Value
from redis import RedisError

from policies import changes, queries
from policies.linting import judging
from policies.linting.judging import Plain
from policies.models import FileRule, LintResult
from portal.common import clock, queue
from portal.common.errors import NotFound
from portal.tenants.models import Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)

RULES_JUDGED_AT_ONCE = 3_000
FORMAT = 2  # raise it when lint says other things, or says them in another shape
_ASKED_FOR_SECONDS = 30


@dataclass(frozen=True, slots=True)
class State:
    """What is known of an organization. `result` is None until it was judged for the first time; not `fresh`: it is
    being judged again."""

    result: LintResult | None
    fresh: bool


def current(reach: Reach, organization_id: UUID) -> State:
    """The findings as they are; judged now when that is quick, else asked of a task. Raises NotFound."""
    if not reach.sees(organization_id):
        raise NotFound
    kept = kept_result(reach, organization_id)
    key = key_of(organization_id)
    if kept is not None and kept.key == key:
        return State(kept, fresh=True)
    _ask_for(organization_id)
    rules = kept.rules if kept is not None else count_rules(organization_id)
    if rules > RULES_JUDGED_AT_ONCE:
        return State(kept, fresh=False)
    return State(_judged(organization_id, key), fresh=True)


def kept_result(reach: Reach, organization_id: UUID) -> LintResult | None:
    """The result as it is kept, fresh or not. One statement."""
    found: LintResult | None = LintResult.objects.within(reach).filter(organization_id=organization_id).first()
    return found


def kept_results(reach: Reach, organization_ids: Iterable[UUID]) -> list[LintResult]:
    """The kept results of these organizations. One statement."""
    return list(LintResult.objects.within(reach).filter(organization_id__in=list(organization_ids)))


ABOUT_POLICIES = '$[*] ? (@.type == "policy")'
OWN_DANGERS = '$[*] ? (@.severity == "danger" && @.inherited == false)'


def kept_some(reach: Reach, organization_ids: Iterable[UUID], path: str) -> list[tuple[UUID, list[Plain]]]:
    """Of the kept results what a JSON path picks out, by organization, picked by the database. One statement."""
    picked = Func(
        F("findings"),
        Value(path),
        template="jsonb_path_query_array(%(expressions)s::jsonpath)",
        output_field=JSONField(),
    )
    rows = LintResult.objects.within(reach).filter(organization_id__in=list(organization_ids))
    return list(rows.annotate(picked=picked).values_list("organization_id", "picked"))


def kept_at(system: Reach) -> list[tuple[UUID, datetime]]:
    """Which organizations have a kept result, and of when. For the sweeper."""
    return list(LintResult.objects.within(system).values_list("organization_id", "computed_at"))


def refresh(organization_id: UUID) -> bool:
    """Judge and keep, unless what is kept is fresh. Whether it judged. For tasks."""
    with reaching(system_reach("lint")) as system:
        if not Organization.objects.within(system).filter(id=organization_id).exists():
            return False
        key = key_of(organization_id)
        kept = kept_result(system, organization_id)
        if kept is not None and kept.key == key:
            return False
        made = _judged(organization_id, key)
        columns = ("key", "computed_at", "milliseconds", "rules", "counts", "findings")
        LintResult.objects.within(system).update_or_create(
            organization_id=organization_id, defaults={name: getattr(made, name) for name in columns}
        )
    log.info("lint.judged", organization=str(organization_id), rules=made.rules, milliseconds=made.milliseconds)
    return True


def key_of(organization_id: UUID) -> str:
    """What a result is good for: this lint, the revisions of the organization and of all above it, the day."""
    with reaching(system_reach("lint")) as system:
        line = [organization_id, *queries.ancestors(system, organization_id)]
        made_of = (FORMAT, changes.revisions(system, line), str(clock.now().date()))
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


def _judged(organization_id: UUID, key: str) -> LintResult:
    started = time.monotonic()
    findings, counts, rules = judging.judge(organization_id)
    return LintResult(
        organization_id=organization_id,
        key=key,
        computed_at=clock.now(),
        milliseconds=round((time.monotonic() - started) * 1000),
        rules=rules,
        counts=counts,
        findings=findings,
    )


def count_rules(organization_id: UUID) -> int:
    """How many rules an organization and those above it have."""
    with reaching(system_reach("lint")) as system:
        line = [organization_id, *queries.ancestors(system, organization_id)]
        return FileRule.objects.within(system).filter(organization_id__in=line).count()


def _ask_for(organization_id: UUID) -> None:
    """Send the task, at most once in half a minute. Without the broker the sweeper finds the organization."""
    try:
        first = queue.redis().set(f"portcullis:lint:{organization_id}", 1, nx=True, ex=_ASKED_FOR_SECONDS)
    except RedisError:
        return
    if first:
        queue.after_commit("policies.lint", organization_id=organization_id)
