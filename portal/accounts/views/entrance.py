"""Before somebody is signed in: sign-in, first set-up, invitations, and what to do when a factor is lost."""

from __future__ import annotations

import secrets
from typing import Any

from allauth.account.views import LoginView
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts import invitations, setup
from portal.accounts.adapter import provider_name
from portal.accounts.forms import NewPasswordForm, SetUpForm
from portal.common.errors import PortalError
from portal.tenants.middleware import client_address

_INVITATION = "invitation"


class SignInView(LoginView):  # type: ignore[misc]  # untyped in allauth
    """E-mail first, then a passkey or a password: one page, usable without scripts."""

    template_name = "accounts/sign_in.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and setup.is_open():
            return redirect("set-up", door="set-up")
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "provider": provider_name()}


sign_in = SignInView.as_view()


@require_safe
def lost_factor(request: HttpRequest) -> HttpResponse:
    """What to do without passkey and phone. The reference helps an administrator to find the try in the log."""
    return render(
        request, "accounts/lost_factor.html", {"provider": provider_name(), "reference": secrets.token_hex(4).upper()}
    )


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, door: str) -> HttpResponse:
    """The first-run page. Its address exists only while there is nobody (see SetUpDoor)."""
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _set_up(request, form):
        return redirect("account_login")
    return render(request, "accounts/set_up.html", {"form": form}, status=422 if form.is_bound else 200)


def _set_up(request: HttpRequest, form: SetUpForm) -> bool:
    wanted = dict(form.cleaned_data)
    if not setup.is_token(wanted.pop("token")):
        form.add_error("token", "This is not today's token of this server.")
        return False
    try:
        setup.set_up(**wanted, address=client_address(request))
    except ValidationError as error:
        form.add_error("password", error)
    except PortalError as error:
        form.add_error(None, error.message)
    return form.is_valid()


@never_cache
@require_safe
def invitation_open(request: HttpRequest, secret: str) -> HttpResponse:
    """Take the secret out of the address at once: it would stand in histories and in the Referer."""
    if invitations.invited_by(secret) is None:
        return _no_invitation(request)
    request.session[_INVITATION] = secret
    return redirect("invitation")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponse:
    """Set a password with a one-time link, then sign in with it. Only POST uses the link up."""
    secret = request.session.get(_INVITATION, "")
    user = invitations.invited_by(secret)
    if user is None:
        return _no_invitation(request)
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitations.accept(secret, password=form.cleaned_data["password"], address=client_address(request))
        except ValidationError as error:
            form.add_error("password", error)
        else:
            del request.session[_INVITATION]
            return redirect("account_login")
    context = {"form": form, "person": user, "provider": provider_name()}
    return render(request, "accounts/invitation.html", context, status=422 if form.is_bound else 200)


def _no_invitation(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/invitation_over.html", {"provider": provider_name()}, status=404)


class SetUpDoor:
    """A piece of an address that is there only while the portal has no person; afterwards nothing matches it."""

    regex = "set-up"

    def to_python(self, value: str) -> str:
        if not setup.is_open():
            raise ValueError("set up already")
        return value

    def to_url(self, value: str) -> str:
        return value


def not_here(request: HttpRequest, **_: Any) -> HttpResponse:
    """An address that allauth asks for by name, for something this portal does not have."""
    raise Http404
