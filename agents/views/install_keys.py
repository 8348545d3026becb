"""The install-key panel of a computer group: make a key, see its one-line command once, revoke."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from agents import install_keys
from agents.forms import InstallKeyForm
from portal.common import clock
from portal.common.errors import Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import ComputerGroup, OperatingSystem

TEMPLATE = "agents/install_keys.html"
PANEL = "install-key-panel"


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.INSTALL_KEY_WRITE)
def install_key_panel(request: PortalRequest, group: UUID) -> HttpResponse:
    """GET: the keys of a group. POST: a new one; its secret is in this answer and never again."""
    found = queries.group(request.reach, group)
    reach = request.reach
    if request.method != "POST":
        return _panel(request, found, InstallKeyForm())
    form = InstallKeyForm(request.POST)
    if not form.is_valid():
        return _panel(request, found, form, status=422)
    try:
        made = install_keys.create_install_key(
            reach,
            group_id=found.id,
            expires_at=install_keys.in_days(form.cleaned_data["days"]),
            max_uses=form.cleaned_data["max_uses"],
        )
    except Refused as refused:
        form.add_error(None, refused.message)
        return _panel(request, found, form, status=422)
    return _panel(request, found, InstallKeyForm(), made=made)


@require_POST
@needs(Capability.INSTALL_KEY_WRITE)
def install_key_revoke(request: PortalRequest, key: UUID) -> HttpResponse:
    revoked = install_keys.revoke_install_key(request.reach, key)
    if request.htmx:
        return _panel(request, queries.group(request.reach, revoked.group_id), InstallKeyForm())
    return redirect("tenants:group-detail", organization=request.organization.slug, group=revoked.group_id)


def install_command(secret: str) -> str:
    """What a person pastes into a root shell on a Linux computer."""
    settled = f"PORTCULLIS_INSTALL_KEY={secret} PORTCULLIS_GUARD=/srv"
    return f"curl -fsS {settings.PORTAL_URL}/agent/v1/install.sh | {settled} sh"


def _panel(
    request: PortalRequest,
    group: ComputerGroup,
    form: InstallKeyForm,
    *,
    made: install_keys.NewInstallKey | None = None,
    status: int = 200,
) -> HttpResponse:
    now = clock.now()
    keys = install_keys.install_keys(request.reach, group_id=group.id)[:20]
    context: dict[str, Any] = {
        "group": group,
        "keys": [(key, install_keys.closed_reason(key, now)) for key in keys],
        "form": form,
        "secret": made.secret if made else "",
        "command": install_command(made.secret) if made and group.os == OperatingSystem.LINUX else "",
        "new": made.key if made else None,
    }
    template = f"{TEMPLATE}#{PANEL}" if request.htmx else TEMPLATE
    return respond(request, template, context, status=status)
