"""Settings, API tokens: made, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts import tokens
from portal.accounts.forms import TokenForm
from portal.accounts.models import User
from portal.accounts.step_up import fresh
from portal.common import clock
from portal.common.errors import PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import keyset
from portal.common.templatetags.portcullis import address
from portal.tenants import queries, tree
from portal.tenants.capabilities import Capability


@require_safe
@needs(Capability.TOKEN_WRITE, everywhere=True)
def token_list(request: PortalRequest) -> HttpResponse:
    asked = request.GET.get("q", "").strip()
    here = request.organization.id if request.organization else None
    found = tokens.tokens(request.reach, organization_id=here, search=asked)
    page = keyset(found, order=("-created_at", "-id"), after=request.GET.get("after", ""))
    names = {o.id: o.name for o in queries.organizations(request.reach)}
    now = clock.now()
    rows = [(t, [names[o] for o in t.organizations if o in names], t.is_live(now)) for t in page.rows]
    context = {"page": page, "rows": rows, "q": asked}
    return respond(request, "accounts/tokens.html", context, fragments={"token-table", "rows"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.TOKEN_WRITE, everywhere=True)
@fresh
def token_create(request: PortalRequest) -> HttpResponse:
    organizations = _organizations(request)
    own = {c for o, _ in organizations for c in request.reach.grants.get(queries.organization(request.reach, o).id, ())}
    form = TokenForm(
        request.POST or None,
        organizations=organizations,
        capabilities=[(str(c), str(c)) for c in Capability if c in own],
        initial={"organizations": [organizations[0][0]] if organizations else []},
    )
    if request.method == "POST" and form.is_valid():
        try:
            return _created(request, form)
        except PortalError as error:
            put_errors(form, error)
    return respond(request, "accounts/token_form.html", {"form": form}, status=422 if form.errors else 200)


def _created(request: PortalRequest, form: TokenForm) -> HttpResponse:
    wanted = form.cleaned_data
    made = tokens.create_token(
        request.reach,
        user=cast(User, request.user),
        name=wanted["name"],
        organizations=[queries.organization(request.reach, slug).id for slug in wanted["organizations"]],
        capabilities=[Capability(value) for value in wanted["capabilities"]],
        expires_at=clock.now() + timedelta(days=wanted["days"]),
    )
    return respond(request, "accounts/token_made.html", {"token": made.token, "secret": made.secret})


@require_POST
@needs(Capability.TOKEN_WRITE, everywhere=True)
def token_revoke(request: PortalRequest, token: str) -> HttpResponse:
    """End a token. Needs no fresh proof: in an emergency nothing may stand in the way."""
    tokens.revoke_token(request.reach, token_id=token)
    return redirect(address("accounts:token-list", request.organization))


def _organizations(request: PortalRequest) -> list[tuple[str, str]]:
    may = request.reach.with_capability(Capability.TOKEN_WRITE)
    if request.organization:
        may &= {request.organization.id}
    return [(o.slug, o.name) for o in tree.in_order(request.reach) if o.id in may]
