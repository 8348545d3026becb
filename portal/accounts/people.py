"""People and what they may do: inviting, granting roles, disabling. Nobody grants more than they have themselves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet

from portal.accounts import invitations
from portal.accounts.models import Membership, Role, User
from portal.accounts.roles import capabilities_of
from portal.accounts.sessions import end_sessions
from portal.accounts.tokens import revoke_tokens_of
from portal.common.errors import Conflict, FieldError, Invalid, NotFound, Refused
from portal.tenants import journal, queries
from portal.tenants.administration.naming import checked_name
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


def people(reach: Reach, *, organization_id: UUID | None = None, search: str = "") -> QuerySet[User]:
    """People with a role at an organization where the actor may see people, by name.

    `user.roles_in_reach` holds those of their memberships that are in reach.
    """
    seen = reach.with_capability(Capability.USER_READ)
    at = seen & {organization_id} if organization_id else seen
    within = Membership.objects.within(reach).select_related("organization")
    found = User.objects.filter(id__in=within.filter(organization_id__in=at).values("user_id"))
    if search:
        found = found.filter(Q(name__icontains=search) | Q(email__icontains=search))
    roles = within.filter(organization_id__in=seen).order_by("organization__name")
    return found.prefetch_related(Prefetch("memberships", roles, to_attr="roles_in_reach")).order_by("name", "id")


def person(reach: Reach, user_id: UUID | str) -> User:
    """One person that the actor may see. Raises NotFound."""
    found = people(reach).filter(id=queries.as_uuid(user_id)).first()
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class Invited:
    """A person, and the one-time link with which they set their password; empty when they have one already."""

    user: User
    link: str


@transaction.atomic
def invite_person(
    reach: Reach, *, organization_id: UUID, email: str, name: str, role: Role, may_act_globally: bool = False
) -> Invited:
    """Give somebody a role at an organization, and an account when they have none.

    Raises Invalid, Conflict when they have a role there already, or Refused for a role above one's own.
    """
    _require_grant(reach, organization_id, role, may_act_globally=may_act_globally)
    email = email.strip().lower()
    validate_email(email)
    organization = queries.organization(reach, organization_id)
    user = User.objects.filter(email=email).first()
    is_new = user is None
    if user is None:
        user = User.objects.create_user(email=email, name=checked_name(name))
    if Membership.objects.within(reach).filter(user=user, organization=organization).exists():
        raise Conflict(f"{email} has a role at {organization} already.")
    Membership.objects.within(reach).create(
        user=user, organization=organization, role=role, may_act_globally=may_act_globally
    )
    journal.record(
        reach,
        "person.invited",
        user,
        organization_id=organization_id,
        after={"email": email, "role": role, "may_act_globally": may_act_globally},
    )
    return Invited(user, invitations.make_link(reach, user, organization_id) if is_new else "")


@transaction.atomic
def grant_role(
    reach: Reach, *, user_id: UUID | str, organization_id: UUID, role: Role, may_act_globally: bool = False
) -> Membership:
    """Give a person this role at an organization instead of the one they had there, if any."""
    _require_grant(reach, organization_id, role, may_act_globally=may_act_globally)
    user = person(reach, user_id)
    organization = queries.organization(reach, organization_id)
    held = Membership.objects.within(reach).select_for_update().filter(user=user, organization=organization).first()
    before = {"role": held.role, "may_act_globally": held.may_act_globally} if held else None
    if held is None:
        held = Membership(user=user, organization=organization)
    elif held.role == Role.OWNER and role != Role.OWNER:
        _require_another_owner(reach, user, organization)
    held.role, held.may_act_globally = role, may_act_globally
    held.save()
    after = {"role": role, "may_act_globally": may_act_globally}
    journal.record(reach, "person.role_granted", user, organization_id=organization_id, before=before, after=after)
    return held


@transaction.atomic
def withdraw_role(reach: Reach, *, user_id: UUID | str, organization_id: UUID) -> None:
    """Take a person's role at an organization. Raises NotFound, or Refused for the last owner."""
    reach.require(Capability.USER_WRITE, organization_id)
    user = person(reach, user_id)
    held = (
        Membership.objects.within(reach)
        .select_for_update(of=("self",))
        .select_related("organization")
        .filter(user=user, organization_id=organization_id)
        .first()
    )
    if held is None:
        raise NotFound
    if held.role == Role.OWNER:
        _require_another_owner(reach, user, held.organization)
    held.delete()
    journal.record(reach, "person.role_withdrawn", user, organization_id=organization_id, before={"role": held.role})


@transaction.atomic
def rename_person(reach: Reach, *, user_id: UUID | str, name: str) -> User:
    """Change the name under which a person is shown. Needs the right to change people wherever they have a role."""
    user, home = _changeable(reach, user_id)
    before, user.name = user.name, checked_name(name)
    user.save(update_fields=["name"])
    journal.record(
        reach, "person.renamed", user, organization_id=home, before={"name": before}, after={"name": user.name}
    )
    return user


@transaction.atomic
def change_person(reach: Reach, *, user_id: UUID | str, name: str | None = None, is_active: bool | None = None) -> None:
    """Rename, disable or enable; what is None stays."""
    if name is not None:
        rename_person(reach, user_id=user_id, name=name)
    if is_active is not None:
        (enable_person if is_active else disable_person)(reach, user_id=user_id)


@transaction.atomic
def disable_person(reach: Reach, *, user_id: UUID | str) -> User:
    """Lock a person out at once: all sessions and tokens end. Raises Refused for oneself and the last owner."""
    user, home = _changeable(reach, user_id)
    if str(user.id) == reach.actor.id:
        raise Refused("You cannot lock yourself out. Ask a colleague.")
    for held in Membership.objects.within(reach).filter(user=user, role=Role.OWNER).select_related("organization"):
        _require_another_owner(reach, user, held.organization)
    if user.is_active:
        user.is_active = False
        user.save(update_fields=["is_active"])
        journal.record(
            reach,
            "person.disabled",
            user,
            organization_id=home,
            sessions_ended=end_sessions(user),
            tokens_revoked=revoke_tokens_of(reach, user),
        )
    return user


@transaction.atomic
def enable_person(reach: Reach, *, user_id: UUID | str) -> User:
    """Let a disabled person sign in again. Tokens stay revoked."""
    user, home = _changeable(reach, user_id)
    if not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
        journal.record(reach, "person.enabled", user, organization_id=home)
    return user


@transaction.atomic
def new_link(reach: Reach, *, user_id: UUID | str) -> str:
    """A one-time link with which a person sets a new password; their second factor stays. Former links end."""
    user, home = _changeable(reach, user_id)
    link = invitations.make_link(reach, user, home)
    journal.record(reach, "person.link_made", user, organization_id=home)
    return link


@transaction.atomic
def remove_second_factor(reach: Reach, *, user_id: UUID | str) -> int:
    """Forget a person's passkeys, authenticator and recovery codes, and end their sessions; how many factors."""
    user, home = _changeable(reach, user_id)
    removed: int = Authenticator.objects.filter(user=user).delete()[0]
    end_sessions(user)
    journal.record(reach, "person.second_factor_removed", user, organization_id=home, removed=removed)
    return removed


@transaction.atomic
def sign_person_out(reach: Reach, *, user_id: UUID | str) -> int:
    """End all sessions of a person; how many."""
    user, home = _changeable(reach, user_id)
    ended = end_sessions(user)
    journal.record(reach, "person.signed_out", user, organization_id=home, sessions_ended=ended)
    return ended


def roles_of(reach: Reach, user: User) -> QuerySet[Membership]:
    """A person's roles at the organizations in reach, by the organization's name."""
    found: QuerySet[Membership] = Membership.objects.within(reach).filter(user=user)
    return found.select_related("organization").order_by("organization__name")


def may_change(reach: Reach, user: User) -> bool:
    """Whether the actor may change the person itself: has that right wherever the person has a role."""
    with reaching(system_reach("find a person's roles")) as system:
        held = list(Membership.objects.within(system).filter(user=user).values_list("organization_id", flat=True))
    return all(reach.can(Capability.USER_WRITE, organization_id) for organization_id in held)


def home_of(user: User) -> UUID | None:
    """The organization whose System Audit tells about a person: the topmost where they have a role."""
    with reaching(system_reach("find where a person belongs")) as system:
        held = Membership.objects.within(system).filter(user=user).select_related("organization")
        return min(
            ((membership.organization.parent_id is not None, membership.created_at, membership.organization_id)
             for membership in held), default=(None, None, None)
        )[2]  # fmt: skip


def _require_grant(reach: Reach, organization_id: UUID, role: Role, *, may_act_globally: bool) -> None:
    reach.require(Capability.USER_WRITE, organization_id)
    if role not in Role:
        raise Invalid([FieldError("/role", f"One of {', '.join(Role.values)}.")])
    if may_act_globally and role != Role.TECHNICIAN:
        raise Refused("Acting globally is an extra right of technicians.", pointer="/may_act_globally")
    beyond = capabilities_of(role, may_act_globally=may_act_globally) - reach.grants.get(organization_id, frozenset())
    if beyond and not reach.everything:
        raise Refused(f"You cannot grant what you lack: {', '.join(sorted(beyond))}.", pointer="/role")


def _require_another_owner(reach: Reach, user: User, organization: Organization) -> None:
    """An organization that has an owner keeps one."""
    others = Membership.objects.within(reach).filter(organization=organization, role=Role.OWNER, user__is_active=True)
    if not others.exclude(user=user).exists():
        raise Refused(f"{user} is the last owner of {organization}. Make somebody else owner first.", code="last_owner")


def _changeable(reach: Reach, user_id: UUID | str) -> tuple[User, UUID]:
    """A person, locked, and the organization to tell it to. The right to change people is needed wherever they
    have a role: an administrator of one customer cannot lock out somebody who also works for another."""
    seen = person(reach, user_id)
    with reaching(system_reach("find a person's roles")) as system:
        held = list(Membership.objects.within(system).filter(user=seen).values_list("organization_id", flat=True))
    for organization_id in held:
        if not reach.sees(organization_id):
            raise Refused("This person also has a role elsewhere. Take their role here instead.")
        reach.require(Capability.USER_WRITE, organization_id)
    user = User.objects.select_for_update().get(id=seen.id)
    return user, home_of(user) or held[0]
