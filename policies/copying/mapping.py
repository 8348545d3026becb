"""What copying policies to some targets would make, and what does not fit, before anything is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from policies import listing, queries
from policies.copying.applications import Mapped, Visible, readable, visible_to
from policies.copying.wishes import Wishes
from policies.models import Level, Policy
from policies.scopes import FoundScope, Scope, require_write
from portal.common import clock
from portal.common.errors import FieldError, Invalid, NotFound
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import ComputerGroup
from portal.tenants.reach import Reach

MOST_POLICIES = 200
MOST_TARGETS = 50
MOST_COPIES = 1000


@dataclass(slots=True)
class MappedPolicy:
    """One policy at one target. `scope`: where its copy goes. `misfits`: why there can be no copy. `notes`: what is
    otherwise in the copy. `left_out`: it was said not to copy it."""

    policy: Policy
    name: str
    scope: FoundScope | None = None
    applications: list[Mapped] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: bool = False

    @property
    def is_copied(self) -> bool:
        return not self.misfits and not self.left_out


@dataclass(slots=True)
class MappedTarget:
    """All the policies at one target. `applications`: those that are not simply the same there. `behind`: what of the
    policies another organization is not told."""

    target: FoundScope
    policies: list[MappedPolicy]
    applications: list[Mapped]
    behind: list[str] = field(default_factory=list)

    @property
    def copies(self) -> list[MappedPolicy]:
        return [one for one in self.policies if one.is_copied]

    @property
    def misfits(self) -> int:
        return sum(bool(one.misfits) for one in self.policies)


def policies_to_copy(reach: Reach, policy_ids: Sequence[UUID]) -> list[Policy]:
    """The policies, in the order in which computers walk them. Raises NotFound for one that is not readable in an
    organization in reach, Invalid for none or too many."""
    wanted = set(policy_ids)
    if not 1 <= len(wanted) <= MOST_POLICIES:
        raise Invalid([FieldError("/policies", f"Choose 1 to {MOST_POLICIES} policies.")])
    found = list(listing.as_evaluated(queries.policies(reach).filter(id__in=wanted)))
    mine = [policy for policy in found if reach.can(Capability.POLICY_READ, policy.organization_id)]
    if len(mine) < len(wanted):
        raise NotFound
    return mine


def policies_at(reach: Reach, scope: Scope) -> list[UUID]:
    """The policies that stand at one scope, but its default. Raises NotFound, Forbidden."""
    reach.require(Capability.POLICY_READ, scope.organization_id)
    rows = Policy.objects.within(reach).filter(**scope.columns(), is_default=False)
    return list(rows.order_by("order", "id").values_list("id", flat=True))


def map_copies(
    reach: Reach, policies: Sequence[Policy], targets: Sequence[FoundScope], wishes: Wishes
) -> list[MappedTarget]:
    """What would be made at each target. Raises NotFound, Forbidden for a target that may not be written, Invalid."""
    unique = {target.scope.target for target in targets}
    if not 1 <= len(targets) <= MOST_TARGETS or len(unique) < len(targets):
        raise Invalid([FieldError("/targets", f"Choose 1 to {MOST_TARGETS} different targets.")])
    if len(policies) * len(targets) > MOST_COPIES:
        raise Invalid([FieldError("/targets", f"At most {MOST_COPIES:,} copies are made at once. Choose fewer.")])
    for target in targets:
        require_write(reach, Capability.POLICY_WRITE, target.scope)
    visible = {o: visible_to(reach, o) for o in {target.scope.organization_id for target in targets}}
    return [_map_target(reach, policies, target, visible[target.scope.organization_id], wishes) for target in targets]


def _map_target(
    reach: Reach, policies: Sequence[Policy], target: FoundScope, visible: Visible, wishes: Wishes
) -> MappedTarget:
    organization_id = target.scope.organization_id
    groups = {
        (group.name.casefold(), group.os): group
        for group in tenants.groups(reach, organization_id)
        if not group.is_global and not group.is_template
    }
    names = _names_at(reach, organization_id)
    may_read = readable(reach, [a for policy in policies for a in policy.named_applications])
    found: list[MappedPolicy] = []
    for policy in policies:
        one = MappedPolicy(policy, policy.name)
        one.left_out = (target.scope.target, policy.id) in wishes.left_out
        one.scope = _scope(target, policy, groups, wishes, one)
        _map_applications(one, visible, wishes, may_read)
        _look_closer(reach, one, target)
        if one.is_copied and one.scope is not None:
            one.name = _free_name(policy.name, names, one)
        found.append(one)
    return MappedTarget(target, found, _distinct(found), _behind(found, organization_id))


def _scope(
    target: FoundScope,
    policy: Policy,
    groups: dict[tuple[str, str], ComputerGroup],
    wishes: Wishes,
    one: MappedPolicy,
) -> FoundScope | None:
    """At a group or computer all goes there; at an organization each goes to its level, groups by their name."""
    if target.scope.level != Level.ORGANIZATION or policy.level == Level.ORGANIZATION:
        return target
    why = {
        Level.GLOBAL: "It is global: no single organization has a place of that kind.",
        Level.COMPUTER: f"It stands at the computer {policy.target_name}, which is not here.",
        Level.GROUP: f"There is no group {policy.target_name} of its system here.",
    }[Level(policy.level)]
    if policy.level == Level.GROUP and policy.target_group is not None:
        group = groups.get((policy.target_group.name.casefold(), policy.target_group.os))
        if group is not None:
            scope = Scope(group.organization_id, Level.GROUP, group.id)
            return FoundScope(scope, target.organization, group.name, group.slug, group.os)
    if wishes.without_place == "organization":
        one.notes.append(f"{why} It goes to the organization.")
        return target
    one.misfits.append(why)
    return None


def _map_applications(one: MappedPolicy, visible: Visible, wishes: Wishes, may_read: dict[UUID, bool]) -> None:
    one.applications = [visible.mapped(a, wishes) for a in one.policy.named_applications]
    for mapped in one.applications:
        name = mapped.application.name
        if mapped.use == "none":
            one.misfits.append(f"{name}: {mapped.why}")
        elif mapped.use == "copy" and not may_read[mapped.application.id]:
            one.misfits.append(f"{name}: its rules may not be read, so they cannot be copied.")
        elif mapped.use == "leave_out":
            one.notes.append(f"Without {name}.")
    kept = [m for m in one.applications if m.use not in ("leave_out", "none")]
    if one.applications and not kept and not one.misfits:
        one.misfits.append("No application is left.")
    if len({m.to.id for m in kept if m.to is not None}) < sum(m.to is not None for m in kept):
        one.misfits.append("Two of its applications would be the same one.")


def _look_closer(reach: Reach, one: MappedPolicy, target: FoundScope) -> None:
    policy, scope = one.policy, one.scope or target
    if policy.is_default:
        one.misfits = ["Each group has a default of its own."]
        return
    systems = {m.application.os for m in one.applications}
    if scope.os and systems and systems != {scope.os}:
        one.misfits.append(f"Its applications are for {', '.join(sorted(systems))}; {scope.name} runs {scope.os}.")
    if policy.expires_at is not None and policy.expires_at <= clock.now():
        one.misfits.append("It has expired. Give it another end first.")
    if policy.schedule and policy.organization.time_zone != target.organization.time_zone:
        one.notes.append(f"Its schedule is in {target.organization.time_zone} there.")
    if policy.users:
        one.notes.append(f"It is for {len(policy.users)} named users: check that they exist there.")
    if policy.linked_to_id is not None:
        one.notes.append("It follows a baseline; the copy does not.")


def _behind(policies: Iterable[MappedPolicy], organization_id: UUID) -> list[str]:
    """What policies say about their own organization's people."""
    words = {"reason": "reason", "ticket": "ticket", "notify": "who is told by e-mail"}
    copied = [one.policy for one in policies if one.is_copied and one.policy.organization_id != organization_id]
    return [label for name, label in words.items() if any(getattr(policy, name) for policy in copied)]


def _names_at(reach: Reach, organization_id: UUID) -> set[str]:
    rows = Policy.objects.within(reach).filter(organization_id=organization_id)
    return {name.casefold() for name in rows.values_list("name", flat=True)}


def _free_name(name: str, taken: set[str], one: MappedPolicy) -> str:
    """The name, or with a number behind it. What is given is taken."""
    free, number = name, 2
    while free.casefold() in taken:
        free, number = f"{name[:150]} ({number})", number + 1
    taken.add(free.casefold())
    if free != name:
        one.notes.append(f"{name} is taken: the copy gets a number.")
    return free


def _distinct(policies: Iterable[MappedPolicy]) -> list[Mapped]:
    """The applications that somebody may decide about, once each, by name."""
    found: dict[UUID, Mapped] = {}
    for one in policies:
        if not one.policy.is_default:
            found.update({m.application.id: m for m in one.applications if not m.is_settled})
    return sorted(found.values(), key=lambda m: (m.application.name.casefold(), str(m.application.id)))
