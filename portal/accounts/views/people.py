"""Settings, people: who may do what, inviting, locking out. What widens rights asks for a fresh proof."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts import invitations, people, sessions
from portal.accounts.forms import InviteForm, RoleForm
from portal.accounts.models import Role
from portal.accounts.session_rules import factors_of
from portal.accounts.step_up import fresh
from portal.common.errors import PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import keyset
from portal.common.templatetags.portcullis import address
from portal.tenants import queries, tree
from portal.tenants.capabilities import Capability


@require_safe
@needs(Capability.USER_READ, everywhere=True)
def person_list(request: PortalRequest) -> HttpResponse:
    asked = request.GET.get("q", "").strip()
    here = request.organization.id if request.organization else None
    found = people.people(request.reach, organization_id=here, search=asked)
    page = keyset(found, order=("name", "id"), after=request.GET.get("after", ""))
    context = {"page": page, "q": asked, "may_invite": bool(_choices(request))}
    return respond(request, "accounts/people.html", context, fragments={"person-table", "rows"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.USER_WRITE, everywhere=True)
@fresh
def person_invite(request: PortalRequest) -> HttpResponse:
    here = {"organization": request.organization.slug} if request.organization else {}
    form = InviteForm(request.POST or None, initial=here, organizations=_choices(request))
    if request.method == "POST" and form.is_valid():
        try:
            return _invited(request, form)
        except PortalError as error:
            put_errors(form, error)
        except ValidationError as error:
            form.add_error("email", error)
    context = {"form": form}
    return respond(request, "accounts/person_invite.html", context, status=422 if form.errors else 200)


def _invited(request: PortalRequest, form: InviteForm) -> HttpResponse:
    wanted = form.cleaned_data
    invited = people.invite_person(
        request.reach,
        organization_id=queries.organization(request.reach, wanted["organization"]).id,
        email=wanted["email"],
        name=wanted["name"],
        role=Role(wanted["role"]),
        may_act_globally=wanted["may_act_globally"],
    )
    mailed = invitations.mail_link(invited.user, invited.link)
    context = {"person": invited.user, "link": invited.link, "mailed": mailed}
    return respond(request, "accounts/person_link.html", context)


@require_safe
@needs(Capability.USER_READ, everywhere=True)
def person_detail(request: PortalRequest, person: str) -> HttpResponse:
    found = people.person(request.reach, person)
    may = people.may_change(request.reach, found)
    context = {
        "person": found,
        "factors": factors_of(found),
        "sessions": sessions.sessions_of(found) if may else (),
        "may_change": may,
        "is_me": found.pk == request.user.pk,
        "role_form": RoleForm(organizations=_choices(request)),
    }
    return respond(request, "accounts/person.html", context)


@require_POST
@needs(Capability.USER_WRITE, everywhere=True)
@fresh
def person_role(request: PortalRequest, person: str) -> HttpResponse:
    """Give a role, or take it (`take`)."""
    form = RoleForm(request.POST, organizations=_choices(request))
    if form.is_valid():
        wanted = form.cleaned_data
        organization = queries.organization(request.reach, wanted["organization"])
        if request.POST.get("take"):
            people.withdraw_role(request.reach, user_id=person, organization_id=organization.id)
        else:
            people.grant_role(
                request.reach,
                user_id=person,
                organization_id=organization.id,
                role=Role(wanted["role"]),
                may_act_globally=wanted["may_act_globally"],
            )
    else:
        messages.error(request, "Choose an organization and a role.")
    return _back(request, person)


@require_POST
@needs(Capability.USER_WRITE, everywhere=True)
@fresh
def person_lock(request: PortalRequest, person: str) -> HttpResponse:
    """Disable a person: all sessions and tokens end at once."""
    people.disable_person(request.reach, user_id=person)
    return _back(request, person)


@require_POST
@needs(Capability.USER_WRITE, everywhere=True)
@fresh
def person_unlock(request: PortalRequest, person: str) -> HttpResponse:
    people.enable_person(request.reach, user_id=person)
    return _back(request, person)


@require_POST
@needs(Capability.USER_WRITE, everywhere=True)
def person_sign_out(request: PortalRequest, person: str) -> HttpResponse:
    """End all sessions of a person. Needs no fresh proof: it takes nothing but time."""
    people.sign_person_out(request.reach, user_id=person)
    return _back(request, person)


@require_POST
@needs(Capability.USER_WRITE, everywhere=True)
@fresh
def person_link(request: PortalRequest, person: str) -> HttpResponse:
    """A new one-time link for a password; the second factor stays."""
    link = people.new_link(request.reach, user_id=person)
    found = people.person(request.reach, person)
    context = {"person": found, "link": link, "mailed": invitations.mail_link(found, link)}
    return respond(request, "accounts/person_link.html", context)


@require_POST
@needs(Capability.USER_WRITE, everywhere=True)
@fresh
def person_factors_forget(request: PortalRequest, person: str) -> HttpResponse:
    people.remove_second_factor(request.reach, user_id=person)
    return _back(request, person)


def _choices(request: PortalRequest) -> list[tuple[str, str]]:
    """The organizations where the actor may change people, as (slug, name); under one organization only that."""
    may = request.reach.with_capability(Capability.USER_WRITE)
    if request.organization:
        may &= {request.organization.id}
    return [(o.slug, o.name) for o in tree.in_order(request.reach) if o.id in may]


def _back(request: PortalRequest, person: str) -> HttpResponse:
    try:
        found = people.person(request.reach, person)
    except PortalError:  # their last role in reach was taken: the person is gone from here
        return redirect(address("accounts:person-list", request.organization))
    return redirect(address("accounts:person-detail", request.organization, person=found.id))
