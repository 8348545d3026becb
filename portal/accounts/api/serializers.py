"""Shapes of people, their roles and API tokens in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portal.accounts.models import ApiToken, Role, User
from portal.common import clock
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer
from portal.tenants.capabilities import Capability

_CAPABILITIES = [(c.value, c.value) for c in Capability]


class TokenAnswer(serializers.Serializer[ApiToken]):
    """An API token. Its secret is in the answer to its creation and nowhere else."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="Beginning of the secret: search for it when one has leaked.")
    user = serializers.UUIDField(source="user_id")
    user_name = serializers.CharField(source="user.name")
    organizations = serializers.ListField(child=serializers.UUIDField())
    capabilities = serializers.ListField(child=serializers.ChoiceField(choices=_CAPABILITIES))
    created_at = InstantField()
    expires_at = InstantField()
    revoked_at = InstantField(allow_null=True)
    last_used_at = InstantField(allow_null=True)
    is_live = serializers.SerializerMethodField()

    def get_is_live(self, token: ApiToken) -> bool:
        return token.is_live(clock.now())


class NewTokenAnswer(TokenAnswer):
    secret = serializers.SerializerMethodField(help_text="Shown this once.")

    def get_secret(self, token: ApiToken) -> str:
        return str(self.context["secret"])


class TokenBody(StrictSerializer):
    name = serializers.CharField(max_length=120)
    organizations = serializers.ListField(
        child=ReferenceField(), max_length=100, help_text="Ids or slugs; each with all that lies beneath it."
    )
    capabilities = serializers.ListField(child=serializers.ChoiceField(choices=_CAPABILITIES), max_length=50)
    expires_at = InstantField(help_text="At most a year from now.")


class TokenQuery(QuerySerializer):
    q = serializers.CharField(required=False, max_length=120, help_text="Beginning of the secret, or part of the name.")


class RoleAnswer(serializers.Serializer[Any]):
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    role = serializers.ChoiceField(choices=Role.choices)
    may_act_globally = serializers.BooleanField()


class RoleBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    role = serializers.ChoiceField(choices=Role.choices)
    may_act_globally = serializers.BooleanField(required=False)


class PersonAnswer(serializers.Serializer[User]):
    """A person, with those of their roles that are in reach."""

    id = serializers.UUIDField()
    email = serializers.CharField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    last_login_at = InstantField(source="last_login", allow_null=True)
    created_at = InstantField()
    roles = RoleAnswer(source="roles_in_reach", many=True)


class InvitedAnswer(PersonAnswer):
    invitation_url = serializers.SerializerMethodField(
        help_text="One-time link to set a password, good for three days, shown this once. Empty for a known person."
    )

    def get_invitation_url(self, user: User) -> str:
        return str(self.context["link"])


class LinkAnswer(serializers.Serializer[Any]):
    invitation_url = serializers.CharField()


class PersonBody(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=120)
    organization = ReferenceField(help_text="Id or slug.")
    role = serializers.ChoiceField(choices=Role.choices)
    may_act_globally = serializers.BooleanField(required=False)


class PersonChange(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False)
    is_active = serializers.BooleanField(required=False, help_text="false ends all sessions and tokens at once.")


class PersonQuery(QuerySerializer):
    organization = ReferenceField(required=False)
    q = serializers.CharField(required=False, max_length=120, help_text="Name or e-mail contains.")


class SessionAnswer(serializers.Serializer[Any]):
    address = serializers.CharField()
    browser = serializers.CharField()
    since = InstantField()
    last_seen_at = InstantField()


class NothingBody(StrictSerializer):
    """An empty object."""
