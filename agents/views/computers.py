"""What a technician does with a computer's keys: let a returning machine in, ban a stolen key."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from agents import computer_keys
from agents.forms import BanForm
from portal.common.htmx import PortalRequest, needs
from portal.tenants.capabilities import Capability


@require_POST
@needs(Capability.COMPUTER_WRITE)
def computer_key_ban(request: PortalRequest, computer: UUID, key: UUID) -> HttpResponse:
    form = BanForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    computer_keys.ban_computer_key(request.reach, key, reason=reason)
    return redirect("tenants:computer-detail", organization=request.organization.slug, computer=computer)


@require_POST
@needs(Capability.COMPUTER_WRITE)
def computer_key_approve(request: PortalRequest, computer: UUID, key: UUID) -> HttpResponse:
    computer_keys.approve_computer_key(request.reach, key)
    return redirect("tenants:computer-detail", organization=request.organization.slug, computer=computer)
