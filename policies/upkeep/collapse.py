"""Collapse hashes: an application full of hashes gets a few rules by signer, or writing program, and folder instead.

Proposals come from what the Unified Audit saw of exactly those hashes. A hash is replaced only when everything that was
seen of it goes on matching; the engine says so before, and again on the saved rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from policies import queries, regex_budget
from policies.catalogue import RuleDraft, checked_rules, draft_of
from policies.models import Application, FileRule, UndoStep
from policies.upkeep import clusters, pictures, steps, touching
from policies.upkeep.matching import Matcher, conditions
from policies.upkeep.reviewing import Case, Review, Wanted, review_of
from portal.common.errors import Conflict, Refused
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

MANY_HASHES = 20


def candidates(reach: Reach, organization_id: UUID, *, least: int = MANY_HASHES) -> list[tuple[UUID, str, int]]:
    """(id, name, rules by hash alone) of the organization's custom applications with at least `least` such rules, most
    first. One statement."""
    alone = {"path": "", "process": "", "created_by": "", "certificate": ""}
    rules = FileRule.objects.within(reach).filter(organization_id=organization_id, **alone).exclude(hash="")
    found = rules.order_by().values("application_id", "application__name").annotate(hashes=Count("id"))
    rows = [(row["application_id"], row["application__name"], row["hashes"]) for row in found if row["hashes"] >= least]
    return sorted(rows, key=lambda row: (-row[2], row[1], row[0]))


def propose(reach: Reach, organization_id: UUID, application_id: UUID | str) -> Review:
    """The rules proposed for an application's hashes, with all that is to be known before applying them.

    Proposals that match more than they replace, or what a deny policy stopped, come without their tick. Raises
    NotFound, Forbidden (needs audit:read too), Refused for a built-in one.
    """
    case = _case(reach, organization_id, application_id)
    drafts = clusters.choose(case.of_hash, case.covered, case.application.os, case.weigh)
    first = review_of(case, [Wanted(draft) for draft in drafts], is_proposal=True)
    wanted = [Wanted(one.rule, ticked=one.is_modest) for one in first.proposals]
    return first if all(one.ticked for one in wanted) else review_of(case, wanted, is_proposal=True)


def review(reach: Reach, organization_id: UUID, application_id: UUID | str, wanted: Sequence[Wanted]) -> Review:
    """The same for rules that a person has edited, ticked and unticked. A rule that cannot be saved has its faults.

    Raises Refused for more rules, or more slow expressions, than may be saved: none of them is tried.
    """
    if len(wanted) > clusters.MOST_RULES:
        raise Refused(f"At most {clusters.MOST_RULES} rules at once.", code="too_many_rules")
    case = _case(reach, organization_id, application_id)
    regex_budget.require_room(reach, organization_id, case.application.os, [one.rule for one in wanted])
    return review_of(case, wanted)


@transaction.atomic
def collapse_hashes(
    reach: Reach, organization_id: UUID, application_id: UUID | str, *, rules: Sequence[RuleDraft], seen: str = ""
) -> UndoStep:
    """Put `rules` in the place of every hash that they, or rules which stay, cover wholly. Undoable.

    `seen`: the review's; Conflict when what it would replace is another by now. Raises NotFound, Forbidden, Invalid
    with `/rules/<index>/<box>`, Refused when nothing would be replaced. Locks the organization.
    """
    (found,) = touching.own_applications(reach, organization_id, [application_id])
    users = touching.users_of([found.id])
    touching.require_rights(reach, organization_id, users)
    touching.lock(reach, organization_id, [])
    case = _case(reach, organization_id, application_id)
    drafts = checked_rules(rules, found.os)
    regex_budget.require_room(reach, organization_id, found.os, drafts)
    done = review_of(case, [Wanted(draft) for draft in drafts])
    if not done.replaced:
        raise Refused("These rules cover no hash wholly, so nothing would be replaced.", code="nothing_to_replace")
    if seen and seen != done.seen:
        raise Conflict("More was seen, or rules were changed, since you looked. Look at the preview again.")
    before = pictures.picture([found.id])
    made = _replace(reach, case, done, drafts)
    _verify(case, done)
    found.changed_by = reach.actor.name
    found.save(update_fields=["changed_by", "changed_at"])
    return _told(reach, organization_id, found, done, made, before)


def _told(
    reach: Reach,
    organization_id: UUID,
    found: Application,
    done: Review,
    made: Sequence[FileRule],
    before: pictures.Picture,
) -> UndoStep:
    many = "hash" if len(done.replaced) == 1 else "hashes"
    summary = f"{len(done.replaced):,} {many} of {found.name} collapsed into {len(made)} rule{'s' * (len(made) != 1)}"
    gone = [row["hash"] for row in before["policies_filerule"].values() if UUID(row["id"]) in done.replaced]
    after = [{name: value for name, value in _boxes(rule).items() if value} for rule in made]
    journal.record(
        reach,
        steps.COLLAPSED,
        found,
        organization_id=organization_id,
        before={"hashes": len(gone), "sha256": hashlib.sha256("".join(sorted(gone)).encode()).hexdigest()},
        after={"rules": after},
    )
    touching.count_changes(reach, [found], verb=steps.COLLAPSED, summary=summary)
    return steps.keep(reach, organization_id, kind=steps.COLLAPSED, summary=summary, before=before, touched=[found.id])


def _boxes(rule: FileRule) -> dict[str, str]:
    return {name: getattr(rule, name) for name in ("path", "process", "created_by", "certificate", "hash")}


def _case(reach: Reach, organization_id: UUID, application_id: UUID | str) -> Case:
    (found,) = touching.own_applications(reach, organization_id, [application_id])
    reach.require(Capability.APPLICATION_READ, organization_id)
    reach.require(Capability.AUDIT_READ, organization_id)
    return Case(
        reach=reach,
        organization=tenants.organization(reach, organization_id),
        application=found,
        rules=list(queries.rules_of(reach, found.id)),
        state=pictures.digest(pictures.picture([found.id])),
        policies=list(queries.policies_using(reach, found.id)),
    )


def _replace(reach: Reach, case: Case, done: Review, drafts: Sequence[RuleDraft]) -> list[FileRule]:
    """The new rules stand where hashes stood, in the first of their places; twins of rules that stay are not added."""
    places = sorted(rule.position for rule in case.rules if rule.id in done.replaced)
    staying = {conditions(rule) for rule in case.rules if rule.id not in done.replaced}
    FileRule.objects.within(reach).filter(id__in=done.replaced).delete()
    places += range(case.rules[-1].position + 1, case.rules[-1].position + 1 + len(drafts))
    news = [draft for draft in drafts if conditions(draft) not in staying]
    made = []
    for position, draft in zip(places, news, strict=False):
        rule = FileRule(
            application=case.application, organization_id=case.organization.id, position=position, note=draft.note
        )
        rule.hash, rule.changed_by = draft.hash, reach.actor.name
        rule.path, rule.process = draft.path, draft.process
        rule.created_by, rule.certificate = draft.created_by, draft.certificate
        made.append(rule)
    return FileRule.objects.within(reach).bulk_create(made)


def _verify(case: Case, done: Review) -> None:
    """Everything that was seen of the replaced hashes matches the rules as they are saved now."""
    saved = [draft_of(rule) for rule in queries.rules_of(case.reach, case.application.id)]
    matcher = Matcher({"saved": saved}, case.application.os)
    hashes = {rule.hash for rule in case.rules if rule.id in done.replaced}
    if not all(matcher.sets_matching(one) for key in hashes for one in case.of_hash[key]):
        raise Conflict("The saved rules would not match all that the hashes matched, so nothing was done.")
