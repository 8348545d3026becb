"""What a session must satisfy beside the right password: a second factor where the role asks for one, an
end.
"""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.conf import settings

from portal.accounts.models import Membership, User
from portal.common.errors import Forbidden
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def lacks_second_factor(user: User) -> bool:
    """Whether one of the person's roles asks for a second factor (MFA_REQUIRED_ROLES) and there is none
    yet.
    """
    if not settings.MFA_REQUIRED_ROLES:
        return False
    if Authenticator.objects.filter(user=user, type__in=FACTORS).exists():
        return False
    with reaching(system_reach("find a person's roles")) as system:
        memberships = Membership.objects.within(system).filter(user=user, role__in=settings.MFA_REQUIRED_ROLES)
        return memberships.exists()


def require_second_factor(user: User) -> None:
    """Raise Forbidden while the second factor that the person's role asks for is not set up."""
    if lacks_second_factor(user):
        raise Forbidden("", "Your role asks for a passkey or an authenticator app. Set one up first.")
