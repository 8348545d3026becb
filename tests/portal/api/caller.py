"""A script that calls the REST API with a token of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.test import Client

from portal.accounts.models import Membership, User
from portal.accounts.reaches import reach_of_user
from portal.accounts.tokens import create_token
from portal.common import clock
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests.factories import SYSTEM


class Caller:
    """`Caller(person)` holds a token with all that the person may do, or only `capabilities`."""

    def __init__(self, user: User, capabilities: Iterable[Capability] | None = None) -> None:
        self.user = user
        self.secret = secret_of(user, capabilities)
        self.client = Client()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = body if isinstance(body, bytes | str) else json.dumps(body) if body is not None else ""
        return self.client.generic(
            method,
            path if path.startswith("/") else f"/api/v1/{path}",
            raw,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.secret}", **headers},
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body if body is not None else {}, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.call("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)


def secret_of(user: User, capabilities: Iterable[Capability] | None = None) -> str:
    """The secret of a new token. Made as the portal itself, so that people without token:write can have one."""
    with reaching(SYSTEM):
        tops = [m.organization_id for m in Membership.objects.within(SYSTEM).filter(user=user)]
    reach = reach_of_user(user)
    wanted = frozenset(capabilities) if capabilities is not None else _everywhere(reach, tops)
    maker = Reach(reach.actor, {o: reach.grants[o] | {Capability.TOKEN_WRITE} for o in reach.grants}, reach.numbers)
    with reaching(maker):
        made = create_token(
            maker,
            user=user,
            name="script",
            organizations=tops,
            capabilities=wanted,
            expires_at=clock.now() + timedelta(days=30),
        )
    return made.secret


def _everywhere(reach: Reach, tops: list[Any]) -> frozenset[Capability]:
    return frozenset.intersection(*(reach.grants[top] for top in tops))
