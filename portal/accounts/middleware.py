"""Ends sessions that are over, and leads people to the second factor that their role asks for."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from portal.accounts import session_rules

Answer = Callable[[HttpRequest], HttpResponse]
_ALWAYS_OPEN = (
    "/account/second-factor/",
    "/sign-in/",
    "/sign-out/",
    "/api/",
    "/agent/",
    "/static/",
    "/healthz",
    "/readyz",
)


class SessionRulesMiddleware:
    """Stands behind authentication and before the reach is found. API requests over a session are checked for the
    second factor by their authenticator."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        if reason := session_rules.end_reason(request):
            logout(request)
            if request.path.startswith("/api/"):
                return self.get_response(request)
            messages.warning(request, reason)
            return _led_to(request, redirect_to_login(request.get_full_path()).url)
        session_rules.note_use(request)
        if not request.path.startswith(_ALWAYS_OPEN) and session_rules.lacks_second_factor(user):
            return _led_to(request, reverse("mfa_index"))
        return self.get_response(request)


def _led_to(request: HttpRequest, address: str) -> HttpResponse:
    """A redirect of the whole page, for htmx too: a form is never swapped into a cell."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
