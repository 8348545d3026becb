"""One's own account: name, time zone, password, where one is signed in. Factors have pages of their own (allauth)."""

from __future__ import annotations

from typing import cast

from allauth.account.views import PasswordChangeView
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts import own, people, sessions
from portal.accounts.forms import ProfileForm
from portal.accounts.models import User
from portal.accounts.session_rules import asks_for_second_factor, factors_of
from portal.common.htmx import PortalRequest


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: PortalRequest) -> HttpResponse:
    """Name, time zone, factors and sessions of the person who asks."""
    user = cast(User, request.user)
    form = ProfileForm(request.POST or None, initial={"name": user.name, "time_zone": user.time_zone or "UTC"})
    if request.method == "POST" and form.is_valid():
        own.change_own_profile(request.reach, user=user, **form.cleaned_data)
        return redirect("profile")
    context = {
        "form": form,
        "sessions": sessions.sessions_of(user, current_key=request.session.session_key),
        "factors": factors_of(user),
        "asks_for_second_factor": asks_for_second_factor(user),
        "memberships": people.roles_of(request.reach, user),
    }
    return render(request, "accounts/profile.html", context, status=422 if form.is_bound else 200)


@login_required
@require_POST
def session_end(request: PortalRequest, session: int) -> HttpResponse:
    """End one of one's own sessions; the present one is signed out of."""
    user, key = cast(User, request.user), request.session.session_key
    if own.end_own_session(request.reach, user=user, session_id=session, current_key=key):
        logout(request)
        return redirect("account_login")
    return HttpResponseRedirect(reverse("profile") + "#sessions")


@login_required
@require_POST
def sessions_end(request: PortalRequest) -> HttpResponse:
    """End all of one's own sessions but the present one."""
    user, key = cast(User, request.user), request.session.session_key
    own.end_own_other_sessions(request.reach, user=user, current_key=key)
    return HttpResponseRedirect(reverse("profile") + "#sessions")


class OwnPasswordView(PasswordChangeView):  # type: ignore[misc]  # untyped in allauth
    template_name = "accounts/password.html"
    success_url = reverse_lazy("profile")


password = login_required(OwnPasswordView.as_view())
