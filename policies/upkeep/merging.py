"""Merging applications: one survives, takes the rules of the others once each, and stands for them in every policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from policies import queries
from policies.catalogue import draft_of
from policies.models import Application, FileRule, ModeWindow, PolicyApplication, UndoStep
from policies.rule_rows import MOST_RULES
from policies.upkeep import pictures, sizes, steps, touching
from policies.upkeep.matching import conditions
from policies.upkeep.sizes import Seen
from policies.upkeep.touching import User
from portal.common.errors import Conflict, PortalError, Refused
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

Conditions = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One application that goes into the survivor: what of it is moved, what the survivor has already."""

    application: Application
    moved: int
    dropped: int
    seen: Seen


@dataclass(frozen=True, slots=True)
class Shift:
    """A policy and how many rules it gets to match that it does not match now, of which applications.

    `relinked`: it will name the survivor in the place of others. Out of the reader's reach: without its name.
    """

    policy_id: UUID
    name: str
    rules: int
    applications: tuple[str, ...]
    relinked: bool


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What merging would do. `refusal`: why it will not be done. `seen`: as of which state; sent back to confirm it."""

    survivor: Application
    applications: tuple[Application, ...]
    parts: tuple[Part, ...]
    rules_after: int
    shifts: tuple[Shift, ...]
    refusal: str
    seen: str

    @property
    def moved(self) -> int:
        return sum(part.moved for part in self.parts)

    @property
    def dropped(self) -> int:
        return sum(part.dropped for part in self.parts)

    @property
    def changing(self) -> tuple[Shift, ...]:
        """The policies that match more than before."""
        return tuple(shift for shift in self.shifts if shift.rules)


def plan_merge(
    reach: Reach, organization_id: UUID, ids: Sequence[UUID | str], *, survivor: UUID | str | None = None
) -> MergePlan:
    """What merging these would do. The survivor, when none is given, is the one that most policies name.

    Raises NotFound, and Refused when they cannot be merged at all (one only, built-in, of different systems).
    """
    found = _checked(touching.own_applications(reach, organization_id, ids))
    chosen = _survivor(found, survivor)
    others = [application for application in found if application.id != chosen.id]
    rules = {application.id: list(queries.rules_of(reach, application.id)) for application in found}
    moves = _moves(chosen, others, rules)
    users, named = _users_and_names(found)
    after = len(rules[chosen.id]) + sum(len(moving) for moving in moves.values())
    organization = tenants.organization(reach, organization_id)
    parts = tuple(
        Part(
            application=other,
            moved=len(moves[other.id]),
            dropped=len(rules[other.id]) - len(moves[other.id]),
            seen=sizes.seen_by(reach, organization, chosen.os, [draft_of(rule) for rule in moves[other.id]]),
        )
        for other in others
    )
    return MergePlan(
        survivor=chosen,
        applications=tuple(found),
        parts=parts,
        rules_after=after,
        shifts=_shifts(reach, found, rules, users, named),
        refusal=_refusal(reach, organization_id, chosen, users, named, after),
        seen=pictures.digest(pictures.picture(a.id for a in found)),
    )


@transaction.atomic
def merge_applications(
    reach: Reach, organization_id: UUID, ids: Sequence[UUID | str], *, survivor: UUID | str, seen: str = ""
) -> UndoStep:
    """Merge applications of one organization and system into `survivor`. Undoable.

    `seen`: the plan's, refused with Conflict when something has changed since. Raises NotFound, Forbidden, Refused.
    Locks the organization and those whose policies change.
    """
    found = _checked(touching.own_applications(reach, organization_id, ids))
    touching.lock(reach, organization_id, touching.users_of([a.id for a in found]))
    found = _checked(touching.own_applications(reach, organization_id, ids))
    users, named = _users_and_names(found)
    chosen = _survivor(found, survivor)
    others = [application for application in found if application.id != chosen.id]
    relinked = _relinked(chosen, users, named)
    touching.require_rights(reach, organization_id, users, relinked=relinked)
    before = pictures.picture(a.id for a in found)
    if seen and seen != pictures.digest(before):
        raise Conflict("The rules or policies were changed since you looked. Look at the preview again.")
    moved, dropped = _move_rules(reach, chosen, others)
    _relink(reach, chosen, others, relinked)
    names = [other.name for other in others]
    with reaching(system_reach("mode windows go on naming what they were about")) as system:
        ModeWindow.objects.within(system).filter(application__in=others).update(application=chosen)
    Application.objects.within(reach).filter(id__in=[other.id for other in others]).delete()
    chosen.changed_by = reach.actor.name
    chosen.save(update_fields=["changed_by", "changed_at"])
    after = {"into": chosen.name, "moved": moved, "dropped": dropped, "policies": sorted(map(str, relinked))}
    journal.record(
        reach, steps.MERGED, chosen, organization_id=organization_id, before={"applications": names}, after=after
    )
    summary = f"{', '.join(names)} merged into {chosen.name}"
    touching.tell_others(reach, organization_id, users, relinked, verb=steps.MERGED, summary=summary)
    touching.count_changes(reach, [chosen], verb=steps.MERGED, summary=summary)
    touched = {a.id for a in found}
    return steps.keep(
        reach, organization_id, kind=steps.MERGED, summary=summary, before=before, touched=touched, relinked=relinked
    )


def _checked(found: list[Application]) -> list[Application]:
    if len(found) < 2:
        raise Refused("Tick two applications or more to merge them.", code="too_few")
    if len({application.os for application in found}) > 1:
        raise Refused("Applications of different operating systems cannot be one.", code="mixed_os")
    return found


def _survivor(found: Sequence[Application], wanted: UUID | str | None) -> Application:
    if wanted is None:
        return max(found, key=lambda a: (getattr(a, "policy_count", 0), queries.rule_count(a)))
    for application in found:
        if str(application.id) == str(wanted):
            return application
    raise Refused("The survivor must be one of the applications that are merged.", pointer="/survivor")


def _users_and_names(found: Sequence[Application]) -> tuple[list[User], Mapping[UUID, frozenset[UUID]]]:
    """The policies that name any of these, and which of these each names."""
    each = {application.id: {user.policy_id for user in touching.users_of([application.id])} for application in found}
    users = touching.users_of([application.id for application in found])
    named = {u.policy_id: frozenset(a for a, policies in each.items() if u.policy_id in policies) for u in users}
    return users, named


def _moves(
    chosen: Application, others: Sequence[Application], rules: Mapping[UUID, Sequence[FileRule]]
) -> dict[UUID, list[FileRule]]:
    """Per other application, in their order, the rules that neither the survivor nor an earlier one has."""
    known = {conditions(rule) for rule in rules[chosen.id]}
    moves: dict[UUID, list[FileRule]] = {}
    for other in others:
        moves[other.id] = []
        for rule in rules[other.id]:
            if conditions(rule) not in known:
                known.add(conditions(rule))
                moves[other.id].append(rule)
    return moves


def _relinked(chosen: Application, users: Sequence[User], named: Mapping[UUID, frozenset[UUID]]) -> frozenset[UUID]:
    """The policies that name another one than the survivor."""
    return frozenset(user.policy_id for user in users if named[user.policy_id] - {chosen.id})


def _shifts(
    reach: Reach,
    found: Sequence[Application],
    rules: Mapping[UUID, Sequence[FileRule]],
    users: Sequence[User],
    named: Mapping[UUID, frozenset[UUID]],
) -> tuple[Shift, ...]:
    """Every policy that names one of them: afterwards each matches the rules of all."""
    of = {application.id: {conditions(rule) for rule in rules[application.id]} for application in found}
    everything: set[Conditions] = set().union(*of.values())
    shifts = []
    for user in users:
        has: set[Conditions] = set().union(*(of[a] for a in named[user.policy_id]))
        news = tuple(a.name for a in found if a.id not in named[user.policy_id] and of[a.id] - has)
        name = user.name if reach.sees(user.organization_id) else "A policy of another organization"
        shifts.append(Shift(user.policy_id, name, len(everything - has), news, len(named[user.policy_id]) < len(found)))
    return tuple(shifts)


def _refusal(
    reach: Reach,
    organization_id: UUID,
    chosen: Application,
    users: Sequence[User],
    named: Mapping[UUID, frozenset[UUID]],
    after: int,
) -> str:
    if after > MOST_RULES:
        return _too_many(after)
    try:
        touching.require_rights(reach, organization_id, users, relinked=_relinked(chosen, users, named))
    except PortalError as error:
        return error.message
    return ""


def _too_many(after: int) -> str:
    return f"It would have {after:,} rules; an application takes {MOST_RULES:,}. Collapse hashes first."


def _move_rules(reach: Reach, chosen: Application, others: Sequence[Application]) -> tuple[int, int]:
    """Move what the survivor lacks behind its last rule, delete the rest; how many of each."""
    rules = {a.id: list(queries.rules_of(reach, a.id)) for a in (chosen, *others)}
    moves = _moves(chosen, others, rules)
    moving = [rule for other in others for rule in moves[other.id]]
    after = len(rules[chosen.id]) + len(moving)
    if after > MOST_RULES:
        raise Refused(_too_many(after), code="too_many_rules")
    last = max((rule.position for rule in rules[chosen.id]), default=0)
    if last + len(moving) > MOST_RULES:
        last = _close_gaps(rules[chosen.id])
    for position, rule in enumerate(moving, start=last + 1):
        rule.application, rule.position = chosen, position
    FileRule.objects.within(reach).bulk_update(moving, ["application", "position"], batch_size=1000)
    left = FileRule.objects.within(reach).filter(application_id__in=[other.id for other in others])
    dropped = left.count()
    left.delete()
    return len(moving), dropped


def _close_gaps(rules: Sequence[FileRule]) -> int:
    """Number the survivor's rules from 1 without gaps, in their order; the last number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE policies_filerule r SET position = t.n FROM unnest(%s::uuid[]) WITH ORDINALITY t(id, n)"
            " WHERE r.id = t.id",
            [[rule.id for rule in rules]],
        )
    return len(rules)


def _relink(reach: Reach, chosen: Application, others: Sequence[Application], relinked: frozenset[UUID]) -> None:
    """Each policy names the survivor once, where it named the first of them; the other links go."""
    every = (chosen, *others)
    links = PolicyApplication.objects.within(reach).filter(policy_id__in=relinked, application__in=every)
    of: dict[UUID, list[PolicyApplication]] = {}
    for link in links.order_by("position", "id"):
        of.setdefault(link.policy_id, []).append(link)
    for mine in of.values():
        kept = next((link for link in mine if link.application_id == chosen.id), mine[0])
        PolicyApplication.objects.within(reach).filter(id__in=[link.id for link in mine if link is not kept]).delete()
        if kept.application_id != chosen.id:
            PolicyApplication.objects.within(reach).filter(id=kept.id).update(application=chosen)
