"""Sign-ins in the System Audit: who came in and how, who failed, which factors came and went.

Allauth tells about these by signals of its own; they are its only door.
"""

from __future__ import annotations

from typing import Any

import structlog
from allauth.account import signals as account_signals
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa import signals as mfa_signals
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from portal.accounts.models import User
from portal.accounts.people import home_of
from portal.accounts.session_rules import begin
from portal.common import queue
from portal.tenants import journal
from portal.tenants.middleware import client_address
from portal.tenants.reach import Actor, Reach
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)


def failed(email: str, *, address: str) -> None:
    """Have a failed sign-in recorded. The same is done, and takes as long, whether the person exists or not: a worker
    writes it down. What was typed is not kept: it may be a password in the wrong field."""
    user = User.objects.filter(email__iexact=email[:254]).first() if email else None
    log.warning("sign_in.failed", known=user is not None, address=address)
    user_id = str(user.id) if user else ""
    if not queue.publish("accounts.note_failed_sign_in", user_id=user_id, address=address):
        note_failed(user_id, address=address)


def note_failed(user_id: str, *, address: str) -> None:
    """Tell a failed sign-in to the System Audit of a known person's organization; an unknown one is in the log only."""
    user = User.objects.filter(id=user_id).first() if user_id else None
    if user is not None:
        _record(user, "person.sign_in_failed", address=address, known=False, disabled=not user.is_active)


def connect() -> None:
    """Listen to allauth. Called once, when the app is ready."""
    account_signals.user_logged_in.connect(_signed_in, dispatch_uid="record sign-in")
    account_signals.password_changed.connect(_password_changed, dispatch_uid="record password")
    user_logged_out.connect(_signed_out, dispatch_uid="record sign-out")
    mfa_signals.authentication_failed.connect(_factor_failed, dispatch_uid="record failed factor")
    mfa_signals.authenticator_added.connect(_factor_added, dispatch_uid="record added factor")
    mfa_signals.authenticator_removed.connect(_factor_removed, dispatch_uid="record removed factor")
    mfa_signals.authenticator_reset.connect(_factor_reset, dispatch_uid="record reset factor")


def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    begin(request)
    methods = [record.get("type") or record["method"] for record in get_authentication_records(request, user)]
    _record(user, "person.signed_in", address=client_address(request), methods=methods)


def _signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        _record(user, "person.signed_out", address=client_address(request))


def _password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    _record(user, "person.password_set", address=client_address(request))


def _factor_failed(request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    address = client_address(request)
    _record(user, "person.second_factor_failed", address=address, known=False, kind=authenticator.type)


def _factor_added(request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    _record(user, "person.second_factor_added", address=client_address(request), kind=authenticator.type)


def _factor_removed(request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    _record(user, "person.second_factor_removed", address=client_address(request), kind=authenticator.type)


def _factor_reset(request: HttpRequest, user: User, authenticator: Any, **_: Any) -> None:
    _record(user, "person.second_factor_renewed", address=client_address(request), kind=authenticator.type)


def _record(user: User, verb: str, *, address: str, known: bool = True, **details: Any) -> None:
    """Tell it to the person's own organization. `known` false: whoever acted has not proven to be the person."""
    home = home_of(user)
    if home is None:
        return
    actor = Actor("user", str(user.id), str(user), address) if known else Actor("anonymous", address=address)
    with reaching(Reach(actor, everything=True)) as reach:
        journal.record(reach, verb, user, organization_id=home, **details)
