"""What allauth asks us: who calls, what to say when a sign-in fails, how factors are stored and shown."""

from __future__ import annotations

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib.messages import ERROR
from django.http import HttpRequest

from portal.accounts import sign_in_record
from portal.accounts.models import User
from portal.accounts.session_rules import FACTORS, asks_for_second_factor, is_fresh
from portal.common import sealing
from portal.tenants.middleware import client_address
from portal.tenants.models import Organization
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

NO_SIGN_IN = "This did not work. Check your e-mail and password. After several tries, wait five minutes."
_PURPOSE = "accounts.second-factor"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # untyped in allauth
    """One sentence for every reason why a sign-in fails; nobody signs up by themselves."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": NO_SIGN_IN,
        "too_many_login_attempts": NO_SIGN_IN,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request) or "0.0.0.0"  # noqa: S104  (an unknown address, not a bind)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """As allauth does it, but a disabled person fails like any wrong password."""
        user: User | None = super().authenticate(request, **credentials)
        if user is not None and not user.is_active:
            self.authentication_failed(request, **credentials)
            return None
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sign_in_record.failed(credentials.get("email", ""), address=self.get_client_ip(request))

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """A fresh sign-in is proof enough for what asks for a fresh one."""
        return not is_fresh(context.request)

    def reauthenticate(self, user: User, password: str) -> bool:
        found = self.authenticate(context.request, email=user.email, password=password)
        return found is not None and found.pk == user.pk

    def add_message(self, request: HttpRequest, level: int, *args: Any, **kwargs: Any) -> None:
        """Being signed in, or out, is plain to see: only faults and factors are worth a line."""
        template = kwargs.get("message_template") or (args[0] if args else "") or ""
        if level >= ERROR or not template.startswith("account/messages/logged"):
            super().add_message(request, level, *args, **kwargs)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # untyped in allauth
    """Secrets of factors are sealed at rest; the last factor stays while a role asks for one."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": "Your role asks for a second factor. Add another one before removing this.",
        "incorrect_code": "This code does not fit, or was used already.",
    }

    def encrypt(self, text: str) -> str:
        return base64.b64encode(sealing.seal(text.encode(), purpose=_PURPOSE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.unseal(base64.b64decode(encrypted_text), purpose=_PURPOSE).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        if authenticator.type not in FACTORS or not asks_for_second_factor(authenticator.user):
            return True
        others = Authenticator.objects.filter(user=authenticator.user, type__in=FACTORS).exclude(pk=authenticator.pk)
        return bool(others.exists())

    def get_totp_issuer(self) -> str:
        return provider_name()

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        return f"Passkey {Authenticator.objects.filter(user=user, type=type).count() + 1}"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": context.request.get_host().partition(":")[0], "name": provider_name()}


def provider_name() -> str:
    """The name of the organization that runs this portal; Portcullis before the first set-up."""
    with reaching(system_reach("name the provider")) as system:
        root = Organization.objects.within(system).filter(parent=None).order_by("created_at").first()
    return root.name if root else "Portcullis"
