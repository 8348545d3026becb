"""REST views of API tokens and people."""

from __future__ import annotations

from typing import Any, cast

from django.urls import reverse
from rest_framework.response import Response

from portal.accounts import people, sessions, tokens
from portal.accounts.api import serializers as shapes
from portal.accounts.models import ApiToken, Role, User
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries
from portal.tenants.capabilities import Capability


class TokenList(PortalAPIView):
    """API tokens of the organizations in reach, newest first; ended ones too."""

    needs = {"GET": Capability.TOKEN_WRITE, "POST": Capability.TOKEN_WRITE}
    body = {"POST": shapes.TokenBody}
    answer = {"GET": shapes.TokenAnswer, "POST": shapes.NewTokenAnswer}
    query = shapes.TokenQuery
    lists = True
    examples = {
        "POST": (
            {
                "name": "nightly report",
                "organizations": ["able-moose-accounting"],
                "capabilities": ["audit:read", "computer:read"],
                "expires_at": "2027-06-30T00:00:00Z",
            },
            None,
        )
    }

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(tokens.tokens(request.reach, search=self.asked().get("q", "")), ("-created_at", "-id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Make a token. Its secret is in this answer only."""
        wanted = self.parsed()
        organizations = [queries.organization(request.reach, each).id for each in wanted["organizations"]]
        made = tokens.create_token(
            request.reach,
            user=cast(User, request.user),
            name=wanted["name"],
            organizations=organizations,
            capabilities=[Capability(each) for each in wanted["capabilities"]],
            expires_at=wanted["expires_at"],
        )
        self.secret = made.secret
        return self.one(made.token, location=reverse("api:token-detail", args=[made.token.id]))

    def context_for(self, request: PortalAPIRequest, thing: Any) -> dict[str, Any]:
        return {"secret": self.secret}


class TokenDetail(PortalAPIView):
    """One API token."""

    needs = {"GET": Capability.TOKEN_WRITE, "DELETE": Capability.TOKEN_WRITE}
    answer = {"GET": shapes.TokenAnswer}
    volatile = frozenset({"last_used_at"})

    def current(self, request: PortalAPIRequest, token_id: str) -> ApiToken:
        return tokens.token(request.reach, token_id)

    def get(self, request: PortalAPIRequest, token_id: str) -> Response:
        return self.one(self.current(request, token_id))

    def delete(self, request: PortalAPIRequest, token_id: str) -> Response:
        """Revoke a token, and those that were made with it."""
        tokens.revoke_token(request.reach, token_id=token_id)
        return self.gone()


class PersonList(PortalAPIView):
    """People with a role at an organization in reach, by name."""

    needs = {"GET": Capability.USER_READ, "POST": Capability.USER_WRITE}
    body = {"POST": shapes.PersonBody}
    answer = {"GET": shapes.PersonAnswer, "POST": shapes.InvitedAnswer}
    query = shapes.PersonQuery
    lists = True
    examples = {
        "POST": (
            {
                "email": "ana.ruiz@northwind.example",
                "name": "Ana Ruiz",
                "organization": "northwind-it",
                "role": "technician",
            },
            None,
        )
    }

    def get(self, request: PortalAPIRequest) -> Response:
        asked = self.asked()
        at = asked.get("organization")
        found = people.people(
            request.reach,
            organization_id=queries.organization(request.reach, at).id if at else None,
            search=asked.get("q", ""),
        )
        return self.listing(found, ("name", "id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Invite somebody: give a role, and an account to whoever has none."""
        wanted = self.parsed()
        invited = people.invite_person(
            request.reach,
            organization_id=queries.organization(request.reach, wanted["organization"]).id,
            email=wanted["email"],
            name=wanted["name"],
            role=Role(wanted["role"]),
            may_act_globally=wanted.get("may_act_globally", False),
        )
        self.link = invited.link
        user = people.person(request.reach, invited.user.id)
        return self.one(user, location=reverse("api:person-detail", args=[user.id]))

    def context_for(self, request: PortalAPIRequest, thing: Any) -> dict[str, Any]:
        return {"link": self.link}


class PersonDetail(PortalAPIView):
    """One person."""

    needs = {"GET": Capability.USER_READ, "PATCH": Capability.USER_WRITE}
    body = {"PATCH": shapes.PersonChange}
    answer = {"GET": shapes.PersonAnswer}
    examples = {"PATCH": ({"is_active": False}, None)}
    volatile = frozenset({"last_login_at"})

    def current(self, request: PortalAPIRequest, user_id: str) -> User:
        return people.person(request.reach, user_id)

    def get(self, request: PortalAPIRequest, user_id: str) -> Response:
        return self.one(self.current(request, user_id))

    def patch(self, request: PortalAPIRequest, user_id: str) -> Response:
        """Rename, disable or enable a person. Disabling ends all their sessions and tokens at once."""
        people.change_person(request.reach, user_id=user_id, **self.parsed())
        return self.one(self.current(request, user_id))


class PersonRoles(PortalAPIView):
    """Give a person a role at an organization, instead of the one they had there."""

    needs = {"POST": Capability.USER_WRITE}
    body = {"POST": shapes.RoleBody}
    answer = {"GET": shapes.PersonAnswer}
    examples = {"POST": ({"organization": "able-moose-accounting", "role": "customer_admin"}, None)}

    def current(self, request: PortalAPIRequest, user_id: str) -> User:
        return people.person(request.reach, user_id)

    def post(self, request: PortalAPIRequest, user_id: str) -> Response:
        wanted = self.parsed()
        people.grant_role(
            request.reach,
            user_id=user_id,
            organization_id=queries.organization(request.reach, wanted["organization"]).id,
            role=Role(wanted["role"]),
            may_act_globally=wanted.get("may_act_globally", False),
        )
        return self.one(self.current(request, user_id))


class PersonRole(PortalAPIView):
    """Take a person's role at an organization."""

    needs = {"DELETE": Capability.USER_WRITE}

    def delete(self, request: PortalAPIRequest, user_id: str, organization: str) -> Response:
        found = queries.organization(request.reach, organization)
        people.withdraw_role(request.reach, user_id=user_id, organization_id=found.id)
        return self.gone()


class PersonLink(PortalAPIView):
    """Make a one-time link with which the person sets a new password. Their second factor stays."""

    needs = {"POST": Capability.USER_WRITE}
    body = {"POST": shapes.NothingBody}
    answer = {"POST": shapes.LinkAnswer}

    def post(self, request: PortalAPIRequest, user_id: str) -> Response:
        self.parsed()
        return self.one({"invitation_url": people.new_link(request.reach, user_id=user_id)})


class PersonSessions(PortalAPIView):
    """Where a person is signed in; DELETE ends all of it."""

    needs = {"GET": Capability.USER_WRITE, "DELETE": Capability.USER_WRITE}
    answer = {"GET": shapes.SessionAnswer}

    def get(self, request: PortalAPIRequest, user_id: str) -> Response:
        """Where a person is signed in."""
        user = people.person(request.reach, user_id)
        return Response({"results": self.represent(sessions.sessions_of(user), many=True)})

    def delete(self, request: PortalAPIRequest, user_id: str) -> Response:
        """Sign a person out everywhere."""
        people.sign_person_out(request.reach, user_id=user_id)
        return self.gone()
