"""Who calls the REST API: a token, or a person in a browser. Each gives the caller's reach as
`request.auth`.
"""

from __future__ import annotations

from rest_framework import authentication, exceptions
from rest_framework.request import Request

from portal.accounts import session_rules
from portal.accounts.models import User
from portal.accounts.reaches import reach_of_user
from portal.accounts.tokens import caller_of
from portal.tenants.middleware import client_address
from portal.tenants.reach import Reach

_LONGEST_SECRET = 128


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <token>`. Any other scheme, and any secret that is not a live token's, is 401."""

    def authenticate(self, request: Request) -> tuple[User, Reach] | None:
        header: str = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, secret = header.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not 0 < len(secret) <= _LONGEST_SECRET:
            raise exceptions.AuthenticationFailed("Send a token: Authorization: Bearer <token>.")
        caller = caller_of(secret, address=client_address(request._request))
        if caller is None:
            raise exceptions.AuthenticationFailed("This token is unknown, expired or revoked.")
        return caller.user, caller.reach

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="portcullis"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in person in a browser; every write needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Reach] | None:
        plain = request._request
        user = getattr(plain, "user", None)
        if not isinstance(user, User) or not user.is_active:
            return None
        self.enforce_csrf(request)
        session_rules.require_second_factor(user)
        return user, reach_of_user(user, address=client_address(plain))
