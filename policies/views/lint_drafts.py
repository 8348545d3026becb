"""Lint beside what is being written, and on the page of an application: fragments that other screens fetch."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from policies import drafting, linting, queries
from policies.linting import Finding
from policies.views.policies import own_policy, read_place
from policies.views.policy_forms import form_of
from portal.common.errors import NotFound, PortalError
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants.capabilities import Capability


@require_POST
@needs(Capability.POLICY_WRITE)
def lint_policy_draft(request: PortalRequest, policy: UUID | None = None) -> HttpResponse:
    """What lint says of the policy as the form has it now. Saves nothing."""
    found = own_policy(request, policy) if policy is not None else None
    form = form_of(request, policy=found)
    advice: list[Finding] = []
    if form.is_valid():
        try:
            draft = drafting.draft_from(request.reach, form.wanted())
            place = read_place(form.cleaned_data.get("place") or "bottom")
            advice = linting.check_policy_draft(request.reach, draft, found.id if found else None, place=place)
        except PortalError:
            advice = []
    return respond(request, "policies/lint_draft.html", {"findings": advice}, fragments={"lint-findings"})


@require_safe
@needs(Capability.APPLICATION_READ, everywhere=True)
def lint_application(request: PortalRequest, application: UUID) -> HttpResponse:
    """What lint says of one application."""
    found = queries.application(request.reach, application)
    organization = request.organization
    if organization is not None and not _is_visible(request, found.id):
        raise NotFound
    advice = [one for one in linting.findings_of_application(request.reach, found.id) if one.accepted is None]
    return respond(request, "policies/lint_application.html", {"findings": advice, "application": found})


def _is_visible(request: PortalRequest, application: UUID) -> bool:
    return queries.applications_for(request.reach, request.organization.id).filter(id=application).exists()
