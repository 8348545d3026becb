"""Allauth's passkey forms, sound against credentials that no browser made: those are refused, not a fault of ours."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms

# What the WebAuthn libraries raise on a credential of the wrong shape.
_MALFORMED = (KeyError, TypeError, AttributeError, ValueError, IndexError, AssertionError)


class _ProvesSoundly:
    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error


class SignInForm(_ProvesSoundly, forms.LoginWebAuthnForm):  # type: ignore[misc]
    pass


class SecondStepForm(_ProvesSoundly, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class ProveAgainForm(_ProvesSoundly, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class AddForm(forms.AddWebAuthnForm):  # type: ignore[misc]
    def clean(self) -> Any:
        try:
            return super().clean()
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error
