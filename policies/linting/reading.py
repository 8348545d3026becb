"""Findings as people and programs read them: with their remedy, their link, and whether they are accepted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from policies.engine.lint import Code
from policies.linting import results, words
from policies.linting.acceptance import Accepted, accepted_at
from policies.linting.finding import Finding, Fix
from policies.linting.judging import Plain
from policies.linting.keys import key_of
from policies.linting.links import link_of, linked_fix
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of some organizations. `counts`: all that there are of each code, also those not kept one by one.
    `waiting`: organizations whose findings are being made."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]
    waiting: tuple[UUID, ...] = ()


def findings(reach: Reach, organization_id: UUID) -> list[Finding]:
    """What lint says of an organization, its own first, then of what it inherits. Raises NotFound."""
    return list(report(reach, [organization_id]).findings)


def report(reach: Reach, organization_ids: Sequence[UUID]) -> Report:
    """The findings of one organization, made now where that is quick; of several, as they are kept."""
    if len(organization_ids) == 1:
        state = results.current(reach, organization_ids[0])
        kept = [state.result] if state.result is not None else []
        waiting = () if state.fresh else tuple(organization_ids)
    else:
        kept = results.kept_results(reach, organization_ids)
        waiting = tuple(set(organization_ids) - {one.organization_id for one in kept})
    accepted = accepted_at(reach, organization_ids)
    owners = homes(reach, {UUID(plain["organization"]) for one in kept for plain in one.findings})
    alone = len(organization_ids) == 1
    found = tuple(
        finding_of(plain, one.organization_id, accepted, owners)
        for one in kept
        for plain in one.findings
        if alone or not plain["inherited"]
    )
    counts: dict[str, int] = defaultdict(int)
    for one in kept:
        for code, count in one.counts.items():
            counts[code] += count
    return Report(found, dict(counts), waiting)


def findings_of_policies(
    reach: Reach, policy_ids: Iterable[UUID], *, organization_ids: Iterable[UUID] | None = None
) -> dict[UUID, list[Finding]]:
    """By policy, what is kept about it, accepted findings left out; nothing is judged for this. Two statements.

    `organization_ids`: where they live, if that is known; else it looks at all in reach.
    """
    wanted = {str(policy_id) for policy_id in policy_ids}
    homes_of = sorted(set(organization_ids) if organization_ids is not None else reach.organizations)
    kept = results.kept_some(reach, homes_of, results.ABOUT_POLICIES)
    accepted = accepted_at(reach, homes_of)
    found: dict[UUID, dict[Code, Finding]] = defaultdict(dict)
    for organization_id, plains in kept:
        for plain in plains:
            if plain["subject"] in wanted:
                finding = finding_of(plain, organization_id, accepted, {})
                if finding.accepted is None:
                    found[finding.subject_id].setdefault(finding.code, finding)
    return {policy_id: list(by_code.values()) for policy_id, by_code in found.items()}


def hint_of(findings: Iterable[Finding]) -> str:
    """What a row of the policies list says about them, in a few words; empty when none needs saying there."""
    by_code = {one.code: one for one in findings}
    if (shadowed := by_code.get(Code.SHADOWED)) is not None:
        return f"never decides: shadowed by {shadowed.details.get('orders', '')}"
    if Code.UNREACHABLE in by_code:
        return "never decides: no rule"
    return "interpreter without a ringfence" if Code.INTERPRETER in by_code else ""


def homes(reach: Reach, ids: set[UUID]) -> dict[UUID, Organization]:
    """The organizations in reach among these."""
    return {o.id: o for o in Organization.objects.within(reach).filter(id__in=ids)}


def finding_of(plain: Plain, seen_at: UUID | None, accepted: Accepted, owners: dict[UUID, Organization]) -> Finding:
    """A kept finding with its words; its remedy and link only where its home is among `owners`."""
    code, subject = Code(plain["code"]), UUID(plain["subject"])
    owner = UUID(plain["organization"])
    application = UUID(plain["application"]) if plain["application"] else None
    home = owners.get(owner)
    return Finding(
        code=code,
        severity=plain["severity"],
        subject_type=plain["type"],
        subject_id=subject,
        subject_name=plain["name"],
        message=plain["message"],
        why=words.WHY[code],
        fix=_fix(plain, home),
        link=link_of(plain["type"], subject, application, home),
        key=key_of(plain["code"], plain["type"], plain["subject"], plain["field"], plain["remedy"]),
        organization_id=owner,
        organization_name=home.name if home else "",
        inherited=plain["inherited"],
        seen_at=seen_at,
        level=plain["level"],
        field=plain["field"],
        application_id=application,
        application_name=plain["application_name"],
        rule=plain.get("rule", ""),
        others=tuple(UUID(other) for other in plain["others"]),
        details=plain["details"],
        accepted=None if seen_at is None else accepted.get((seen_at, plain["code"], subject)),
    )


def _fix(plain: Plain, home: Organization | None) -> Fix | None:
    """None for what is above the organization, for what only thinking can mend, and where no screen helps."""
    remedy = plain["remedy"]
    if home is None or plain["inherited"] or not remedy:
        return None
    if remedy in words.SAFE:
        return Fix(remedy, words.SAFE[remedy][0], is_done_here=True, asks=remedy in words.PREVIEWED)
    return linked_fix(remedy, plain, home)
