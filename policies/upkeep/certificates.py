"""Certificate roll-over: a vendor's new signer goes into the place of the old one, or beside it, everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from django.db import transaction

from policies import queries, regex_budget
from policies.catalogue import RuleDraft, changed_rule, draft_of, rule_fault
from policies.engine.normal_form import normal_certificate
from policies.engine.rules import RuleError, check_rule
from policies.models import Application, FileRule, UndoStep
from policies.rule_rows import MOST_RULES
from policies.upkeep import pictures, sizes, steps, touching
from policies.upkeep.evidence import Asked, Needles, escaped, evidence, needles_of
from policies.upkeep.matching import Matcher, conditions, engine_rule
from policies.upkeep.sizes import Seen
from portal.common.errors import Conflict, Invalid, PortalError, Refused
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

How = Literal["replace", "beside"]
_SUCCESSORS = 5


@dataclass(frozen=True, slots=True)
class Signer:
    """A certificate that rules of an organization ask for: in how many rules of how many applications."""

    certificate: str
    rules: int
    applications: int


@dataclass(frozen=True, slots=True)
class Successor:
    """A signer that was seen on files which match such rules but for their certificate; how many files were stopped."""

    certificate: str
    files: int
    denied: int


@dataclass(frozen=True, slots=True)
class Affected:
    """One application: how many of its rules ask for the old certificate, how many would be twins of others and go."""

    application: Application
    rules: int
    twins: int
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RollOver:
    """What it would do. `gains`: seen in 30 days, would match from then on and does not now; `loses`: the reverse."""

    old: str
    new: str
    how: How
    affected: tuple[Affected, ...]
    gains: Seen
    loses: Seen
    refusal: str
    seen: str

    @property
    def rules(self) -> int:
        return sum(one.rules for one in self.affected)


def signers(reach: Reach, organization_id: UUID) -> list[Signer]:
    """The certificates that rules of the organization's custom applications ask for, most rules first."""
    reach.require(Capability.APPLICATION_READ, organization_id)
    found: dict[str, tuple[str, list[UUID]]] = {}
    for rule in _rules(reach, organization_id):
        found.setdefault(normal_certificate(rule.certificate), (rule.certificate, []))[1].append(rule.application_id)
    made = [Signer(text, len(owners), len(set(owners))) for text, owners in found.values()]
    return sorted(made, key=lambda one: (-one.rules, one.certificate))


def successors(reach: Reach, organization_id: UUID, old: str) -> list[Successor]:
    """Who signs, these 30 days, what the rules with `old` would match if only the signer were the same. Most first."""
    organization = tenants.organization(reach, organization_id)
    files: dict[str, dict[int, bool]] = defaultdict(dict)
    by_os = defaultdict(list)
    for rule in _rules_with(reach, organization_id, old):
        unsigned = replace(draft_of(rule), certificate="")
        if any(conditions(unsigned)):
            by_os[rule.application.os].append(unsigned)
    for os, drafts in by_os.items():
        found = evidence().sightings(reach, Asked(organization, os, needles_of(drafts, os)))
        matcher = Matcher({"rules": drafts}, os)
        for one in found.rows:
            is_other = normal_certificate(one.certificate) not in ("", normal_certificate(old))
            if one.visible and is_other and matcher.sets_matching(one):
                files[one.certificate][one.file] = files[one.certificate].get(one.file, False) or bool(one.denied)
    made = [Successor(text, len(of), sum(of.values())) for text, of in files.items()]
    return sorted(made, key=lambda one: (-one.denied, -one.files, one.certificate))[:_SUCCESSORS]


def plan_replacement(reach: Reach, organization_id: UUID, *, old: str, new: str, how: How) -> RollOver:
    """What it would do. Raises NotFound, Forbidden, Invalid, Refused when no rule asks for `old`."""
    reach.require(Capability.APPLICATION_READ, organization_id)
    organization = tenants.organization(reach, organization_id)
    new = _checked(old, new)
    rules = _required(reach, organization_id, old)
    applications = _applications(reach, rules)
    affected = tuple(_affected(reach, application, rules, new) for application in applications)
    gains, loses = _shift(reach, organization, rules, new, how)
    return RollOver(
        old=rules[0].certificate,
        new=new,
        how=how,
        affected=affected,
        gains=gains,
        loses=loses,
        refusal=_refusal(reach, organization_id, applications, rules, how),
        seen=pictures.digest(pictures.picture(a.id for a in applications)),
    )


@transaction.atomic
def replace_certificate(
    reach: Reach, organization_id: UUID, *, old: str, new: str, how: How, seen: str = ""
) -> UndoStep:
    """Put `new` in the place of `old`, or add a rule with `new` for each with `old`, in all custom applications of the
    organization. A rule that would be the twin of another goes. Undoable.

    Raises NotFound, Forbidden, Invalid, Refused, Conflict (changed since `seen`). Locks the organization.
    """
    reach.require(Capability.APPLICATION_WRITE, organization_id)
    new = _checked(old, new)
    touching.lock(reach, organization_id, [])
    rules = _required(reach, organization_id, old)
    applications = _applications(reach, rules)
    ids = [application.id for application in applications]
    touching.require_rights(reach, organization_id, touching.users_of(ids))
    before = pictures.picture(ids)
    if seen and seen != pictures.digest(before):
        raise Conflict("The rules or policies were changed since you looked. Look at the preview again.")
    for application in applications:
        mine = [rule for rule in rules if rule.application_id == application.id]
        if how == "beside":
            regex_budget.require_room(reach, organization_id, application.os, mine)
        _roll(reach, application, mine, new, how)
        application.changed_by = reach.actor.name
        application.save(update_fields=["changed_by", "changed_at"])
    summary = _summary(len(rules), new, how)
    told = {"certificate": new, "how": how, "rules": len(rules), "applications": [a.name for a in applications]}
    journal.record(
        reach, steps.CERTIFICATE_REPLACED, tenants.organization(reach, organization_id),
        organization_id=organization_id, before={"certificate": old}, after=told,
    )  # fmt: skip
    touching.count_changes(reach, applications, verb=steps.CERTIFICATE_REPLACED, summary=summary)
    return steps.keep(
        reach, organization_id, kind=steps.CERTIFICATE_REPLACED, summary=summary, before=before, touched=ids
    )


def _summary(rules: int, new: str, how: How) -> str:
    many = f"{rules} rule{'s' if rules != 1 else ''}"
    return f"{new} added beside the old signer of {many}" if how == "beside" else f"Signer of {many} is now {new}"


def _rules(reach: Reach, organization_id: UUID) -> list[FileRule]:
    found = FileRule.objects.within(reach).filter(organization_id=organization_id).exclude(certificate="")
    return list(found.select_related("application").order_by("application__name", "application_id", "position"))


def _rules_with(reach: Reach, organization_id: UUID, old: str) -> list[FileRule]:
    wanted = normal_certificate(old)
    return [rule for rule in _rules(reach, organization_id) if normal_certificate(rule.certificate) == wanted]


def _required(reach: Reach, organization_id: UUID, old: str) -> list[FileRule]:
    rules = _rules_with(reach, organization_id, old) if old.strip() else []
    if not rules:
        raise Refused("No rule of this organization's own applications asks for this certificate.", pointer="/old")
    return rules


def _checked(old: str, new: str) -> str:
    try:
        check_rule(engine_rule(RuleDraft(certificate=new)), "windows")
    except RuleError as error:
        raise Invalid([replace(rule_fault(error), pointer="/new")]) from error
    if normal_certificate(old) == normal_certificate(new):
        raise Refused("This is the certificate that the rules have already.", pointer="/new")
    return new.strip()


def _applications(reach: Reach, rules: Sequence[FileRule]) -> list[Application]:
    ids = dict.fromkeys(rule.application_id for rule in rules)
    return list(queries.applications(reach).filter(id__in=ids))


def _affected(reach: Reach, application: Application, rules: Sequence[FileRule], new: str) -> Affected:
    mine = [rule for rule in rules if rule.application_id == application.id]
    known = {_conditions(rule) for rule in queries.rules_of(reach, application.id)}
    twins = sum(_conditions(rule, new) in known for rule in mine)
    names = tuple(queries.policies_using(reach, application.id).values_list("name", flat=True)[:20])
    return Affected(application, len(mine), twins, names)


def _conditions(rule: FileRule, certificate: str | None = None) -> tuple[str, ...]:
    """A rule's conditions with its certificate (another one, if given) in normal form."""
    draft = draft_of(rule)
    return conditions(replace(draft, certificate=normal_certificate(certificate or draft.certificate)))


def _roll(reach: Reach, application: Application, mine: Sequence[FileRule], new: str, how: How) -> None:
    rules = list(queries.rules_of(reach, application.id))
    going = {rule.id for rule in mine} if how == "replace" else set()
    known = {_conditions(rule) for rule in rules if rule.id not in going}
    kept = []
    for rule in mine:
        if _conditions(rule, new) not in known:
            known.add(_conditions(rule, new))
            kept.append(rule)
    if how == "beside":
        _add_beside(reach, application, rules, kept, new)
        return
    twins = going - {rule.id for rule in kept}
    FileRule.objects.within(reach).filter(id__in=twins).delete()
    ids = [rule.id for rule in kept]
    FileRule.objects.within(reach).filter(id__in=ids).update(certificate=new, changed_by=reach.actor.name)


def _add_beside(
    reach: Reach, application: Application, rules: Sequence[FileRule], kept: Sequence[FileRule], new: str
) -> None:
    last = max(rule.position for rule in rules)
    if last + len(kept) > MOST_RULES:
        raise Refused(f"{application.name} would have more than {MOST_RULES:,} rules. Collapse hashes first.")
    news = []
    for position, rule in enumerate(kept, start=last + 1):
        boxes = {name: getattr(rule, name) for name in ("hash", "path", "process", "created_by", "note")}
        made = FileRule(application=application, organization_id=rule.organization_id, position=position, **boxes)
        made.certificate, made.changed_by = new, reach.actor.name
        news.append(made)
    FileRule.objects.within(reach).bulk_create(news)


def _shift(
    reach: Reach, organization: Organization, rules: Sequence[FileRule], new: str, how: How
) -> tuple[Seen, Seen]:
    """(what would match from then on and does not now, the reverse), of what was seen in 30 days."""
    gains, loses = sizes.NOTHING, sizes.NOTHING
    for os in sorted({rule.application.os for rule in rules}):
        mine = [rule for rule in rules if rule.application.os == os]
        before = _all_drafts(reach, mine)
        going = {conditions(rule) for rule in mine} if how == "replace" else set()
        news = [changed_rule(rule, {"certificate": new}) for rule in mine]
        after = [draft for draft in before if conditions(draft) not in going] + news
        needles = Needles(certificates=tuple(map(escaped, (mine[0].certificate, new))))
        asked = Asked(organization, os, needles)
        found = evidence().sightings(reach, asked)
        matcher = Matcher({"before": before, "after": after}, os)
        sets = [(one, matcher.sets_matching(one)) for one in found.rows]
        came = [one for one, matched in sets if matched == {"after"}]
        went = [one for one, matched in sets if matched == {"before"}]
        gains = sizes.total(gains, sizes.size(reach, asked, came, truncated=found.truncated))
        loses = sizes.total(loses, sizes.size(reach, asked, went, truncated=found.truncated))
    return gains, loses


def _all_drafts(reach: Reach, rules: Sequence[FileRule]) -> list[RuleDraft]:
    ids = dict.fromkeys(rule.application_id for rule in rules)
    return [draft_of(rule) for application in ids for rule in queries.rules_of(reach, application)]


def _refusal(
    reach: Reach, organization_id: UUID, applications: Sequence[Application], rules: Sequence[FileRule], how: How
) -> str:
    try:
        users = touching.users_of([application.id for application in applications])
        touching.require_rights(reach, organization_id, users)
    except PortalError as error:
        return error.message
    for application in applications:
        more = sum(rule.application_id == application.id for rule in rules) if how == "beside" else 0
        if queries.rule_count(application) + more > MOST_RULES:
            return f"{application.name} would have more than {MOST_RULES:,} rules. Collapse hashes first."
    return ""
