"""The first run of a real install: the organization that runs the portal, and its owner.

It is possible only while there is no person at all, and only with a token that the server itself prints
(`manage.py setup_token`). The token follows from SECRET_KEY and the date, so nothing is stored, and one that was
left in a log is worthless two days later.
"""

from __future__ import annotations

import hmac
from datetime import date, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils.crypto import salted_hmac

from portal.accounts.models import Membership, Role, User
from portal.common import clock
from portal.common.errors import NotFound
from portal.tenants import journal
from portal.tenants.administration.naming import check_time_zone, checked_name, pick_slug
from portal.tenants.models import Organization
from portal.tenants.reach import Actor, Reach, system_reach
from portal.tenants.scoping import reaching

_ONE_AT_A_TIME = 0x53455455  # advisory lock: two set-ups at once make one owner


def is_open() -> bool:
    """Whether the portal still waits for its first person."""
    return not User.objects.exists()


def token_of(day: date) -> str:
    """The set-up token of a day: 32 characters in four groups."""
    digest = salted_hmac("portcullis.setup", day.isoformat(), algorithm="sha256").hexdigest()[:32]
    return "-".join(digest[start : start + 8] for start in range(0, 32, 8))


def is_token(text: str) -> bool:
    """Whether the text is the token of today or yesterday (UTC)."""
    today = clock.now().date()
    given = text.strip().lower().encode()
    matches = [hmac.compare_digest(token_of(day).encode(), given) for day in (today, today - timedelta(days=1))]
    return any(matches)


@transaction.atomic
def set_up(*, organization: str, time_zone: str, name: str, email: str, password: str, address: str = "") -> User:
    """Create the organization that runs the portal and its owner. Raises NotFound when there is a person already,
    Invalid or ValidationError for a bad name, address or password."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
    if not is_open():
        raise NotFound
    email = email.strip().lower()
    validate_email(email)
    check_time_zone(time_zone)
    title = checked_name(organization)
    user = User(email=email, name=checked_name(name))
    validate_password(password, user)
    user.set_password(password)
    user.save(force_insert=True)
    with reaching(system_reach("first set-up")) as system:
        root = Organization.objects.within(system).create(
            name=title, slug=pick_slug("", title, set()), time_zone=time_zone
        )
        Membership.objects.within(system).create(organization=root, user=user, role=Role.OWNER)
        owner = Reach(Actor("user", str(user.id), str(user), address), everything=True)
        journal.record(owner, "organization.created", root, organization_id=root.id, after={"name": root.name})
        journal.record(owner, "person.invited", user, organization_id=root.id, after={"role": Role.OWNER})
    return user
