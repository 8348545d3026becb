"""Shapes of baselines, who follows them, exceptions and copies in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.shapes import PolicyFields, ScopeBody
from policies.baselines.drift import STATES
from policies.models import Baseline, BaselineException, ExceptionKind, Subscription
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer
from portal.tenants.models import OperatingSystem


class BaselineQuery(QuerySerializer):
    organization = ReferenceField(required=False, help_text="Those that it has or follows.")


class BaselineBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug: the one whose baseline it is.")
    name = serializers.CharField(max_length=100)
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    group_name = serializers.CharField(
        max_length=120,
        required=False,
        allow_blank=True,
        help_text="Followed at the group so called; empty: organization.",
    )
    new_customers = serializers.BooleanField(required=False, help_text="Every organization that comes follows it.")


class BaselineChange(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    group_name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    new_customers = serializers.BooleanField(required=False)


class BaselineAnswer(serializers.Serializer[Baseline]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    name = serializers.CharField()
    description = serializers.CharField()
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    template = serializers.UUIDField(
        source="source_group_id", help_text="The template group: create its policies at this scope, level group."
    )
    group_name = serializers.CharField()
    new_customers = serializers.BooleanField()
    version = serializers.IntegerField(help_text="The newest published one; 0 before the first.")
    following = serializers.IntegerField(help_text="Followers in reach.")
    exceptions = serializers.IntegerField(help_text="Exceptions in force in reach.")
    changed_at = InstantField()
    changed_by = serializers.CharField()


class ItemAnswer(serializers.Serializer[Any]):
    source = serializers.UUIDField()  # type: ignore[assignment]
    name = serializers.CharField()
    order = serializers.IntegerField()
    action = serializers.CharField(source="terms.columns.action")
    enabled = serializers.BooleanField(source="terms.columns.enabled")
    applications = serializers.ListField(child=serializers.CharField(), source="terms.applications")
    application_names = serializers.ListField(child=serializers.CharField(), source="names")


class CellAnswer(serializers.Serializer[Any]):
    source = serializers.UUIDField()  # type: ignore[assignment]
    state = serializers.ChoiceField(choices=list(STATES.items()))
    detail = serializers.CharField(help_text="What differs, in words.")
    policy = serializers.UUIDField(source="policy_id", allow_null=True, help_text="The follower's own policy.")
    exception = serializers.UUIDField(source="exception.id", default=None, allow_null=True)
    due = serializers.BooleanField(help_text="The exception's review date has come.")


class LineAnswer(serializers.Serializer[Any]):
    subscription = serializers.UUIDField(source="subscription.id")
    organization = serializers.UUIDField(source="subscription.organization_id")
    organization_name = serializers.CharField(source="subscription.organization.name")
    group = serializers.UUIDField(source="subscription.target_group_id", allow_null=True)
    version = serializers.IntegerField(source="subscription.version")
    cells = CellAnswer(many=True)


class DriftQuery(QuerySerializer):
    state = serializers.ChoiceField(
        choices=[*STATES.items(), ("amiss", "Anything amiss"), ("due", "Due")],
        required=False,
        help_text="Only followers with such a policy.",
    )


class DriftAnswer(serializers.Serializer[Any]):
    policies = ItemAnswer(many=True, source="columns")
    followers = LineAnswer(many=True, source="lines")
    unpublished = serializers.BooleanField(help_text="The template says something that no version says.")
    amiss = serializers.IntegerField()
    due = serializers.IntegerField()


class CarryBody(StrictSerializer):
    note = serializers.CharField(max_length=300, required=False, allow_blank=True)
    subscriptions = serializers.ListField(
        child=serializers.UUIDField(), required=False, help_text="Only these followers; all of them when left out."
    )


class OutlookAnswer(serializers.Serializer[Any]):
    subscription = serializers.UUIDField(source="subscription.id")
    organization = serializers.UUIDField(source="subscription.organization_id")
    inherits = serializers.IntegerField()
    created = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())
    moved = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    exceptions = serializers.ListField(child=serializers.CharField())
    conflicts = serializers.ListField(child=serializers.CharField())
    computers = serializers.IntegerField(help_text="Whose bundles would change.")
    fault = serializers.CharField()


class CarryPreviewAnswer(serializers.Serializer[Any]):
    version = serializers.IntegerField(help_text="The number it would be published as.")
    is_new = serializers.BooleanField()
    followers = OutlookAnswer(many=True, source="outlooks")


class BroughtAnswer(serializers.Serializer[Any]):
    subscription = serializers.UUIDField()
    organization = serializers.UUIDField()
    created = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())
    moved = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    released = serializers.ListField(
        child=serializers.CharField(), help_text="Not of the baseline any more, kept by an exception as own policies."
    )
    misfits = serializers.ListField(child=serializers.CharField())


class CarryFaultAnswer(serializers.Serializer[Any]):
    subscription = serializers.UUIDField()
    organization = serializers.UUIDField()
    why = serializers.CharField()


class CarriedAnswer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    done = BroughtAnswer(many=True)
    waiting = serializers.IntegerField(help_text="Followers that a worker brings there one after the other.")
    faults = CarryFaultAnswer(many=True)
    out_of_hand = serializers.ListField(
        child=serializers.UUIDField(), help_text="Subscriptions whose policies you may not change."
    )


class SubscriptionAnswer(serializers.Serializer[Subscription]):
    id = serializers.UUIDField()
    baseline = serializers.UUIDField(source="baseline_id")
    baseline_name = serializers.CharField(source="baseline.name")
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    group = serializers.UUIDField(source="target_group_id", allow_null=True)
    version = serializers.IntegerField(help_text="What it has.")
    wanted = serializers.IntegerField(help_text="What it shall have.")
    fault = serializers.CharField(help_text="Why it could not be brought there.")
    carried_at = InstantField(allow_null=True)


class FollowerBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    group = ReferenceField(required=False, help_text="One of its groups; the organization itself when left out.")


class FollowBody(StrictSerializer):
    followers = FollowerBody(many=True)


class StopBody(StrictSerializer):
    policies = serializers.ChoiceField(
        choices=("keep", "delete"), help_text="keep: they stay as the organization's own, as they are."
    )


class PutBackBody(StrictSerializer):
    sources = serializers.ListField(child=serializers.UUIDField(), help_text="Ids of the baseline's policies.")


class ExceptionQuery(QuerySerializer):
    organization = ReferenceField(required=False)
    baseline = serializers.UUIDField(required=False)
    due = serializers.BooleanField(required=False, help_text="Whether the review date has come.")
    ended = serializers.BooleanField(required=False, help_text="Those that have ended, too.")


class ExceptionBody(StrictSerializer):
    subscription = serializers.UUIDField()
    source = serializers.UUIDField(help_text="Id of the baseline's policy.")  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=ExceptionKind.choices)
    reason = serializers.CharField(max_length=1000)
    review_on = serializers.DateField(help_text="Within a year.")
    changes = PolicyFields(required=False, help_text="For kind changed: what is otherwise here.")


class ExceptionAcceptBody(StrictSerializer):
    review_on = serializers.DateField(help_text="Within a year.")
    reason = serializers.CharField(max_length=1000, required=False)


class EndBody(StrictSerializer):
    note = serializers.CharField(max_length=300, required=False, allow_blank=True)


class ExceptionAnswer(serializers.Serializer[BaselineException]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    subscription = serializers.UUIDField(source="subscription_id")
    baseline = serializers.UUIDField(source="subscription.baseline_id")
    source = serializers.UUIDField()  # type: ignore[assignment]
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=ExceptionKind.choices)
    reason = serializers.CharField()
    review_on = serializers.DateField()
    version = serializers.IntegerField(help_text="The version that was here when it was accepted.")
    created_at = InstantField()
    created_by = serializers.CharField()
    accepted_at = InstantField()
    accepted_by = serializers.CharField()
    ended_at = InstantField(allow_null=True)
    ended_by = serializers.CharField()
    end_note = serializers.CharField()


class CopyApplicationBody(StrictSerializer):
    organization = ReferenceField(help_text="The target organization, id or slug.")
    application = serializers.UUIDField(help_text="The one that the policies name.")
    use = serializers.CharField(max_length=40, help_text="copy, leave_out, or the id of one to take instead.")


class CopyLeaveBody(StrictSerializer):
    target = serializers.UUIDField()
    policy = serializers.UUIDField()


class CopyBody(StrictSerializer):
    """`policies`, or everything at the scope `from`."""

    policies = serializers.ListField(child=serializers.UUIDField(), required=False)
    source = ScopeBody(required=False, help_text="All policies of this scope, but a group's default.")  # type: ignore[assignment]
    targets = ScopeBody(many=True)
    applications = CopyApplicationBody(many=True, required=False)
    leave_out = CopyLeaveBody(many=True, required=False)
    without_place = serializers.ChoiceField(
        choices=("leave_out", "organization"),
        required=False,
        help_text="A policy whose group or computer the target organization does not have.",
    )


class MappedApplicationAnswer(serializers.Serializer[Any]):
    application = serializers.UUIDField(source="application.id")
    name = serializers.CharField(source="application.name")
    use = serializers.CharField(help_text="same, named, copy, chosen, leave_out, or none: decide.")
    to = serializers.UUIDField(source="to.id", default=None, allow_null=True)


class MappedPolicyAnswer(serializers.Serializer[Any]):
    policy = serializers.UUIDField(source="policy.id")
    name = serializers.CharField(help_text="What the copy is called.")
    is_copied = serializers.BooleanField()
    misfits = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())
    applications = MappedApplicationAnswer(many=True)


class MappedTargetAnswer(serializers.Serializer[Any]):
    level = serializers.CharField(source="target.scope.level")
    target = serializers.UUIDField(source="target.scope.target")
    target_name = serializers.CharField(source="target.name")
    policies = MappedPolicyAnswer(many=True)
    behind = serializers.ListField(
        child=serializers.CharField(), help_text="What another organization is not told: reason, ticket, addresses."
    )


class CopiedAnswer(serializers.Serializer[Any]):
    organization = serializers.UUIDField(source="organization.id")
    policies = serializers.SerializerMethodField(help_text="The copies.")
    applications = serializers.SerializerMethodField(help_text="Applications that were copied along.")
    undo_step = serializers.UUIDField(source="step.id", default=None, allow_null=True)
    fault = serializers.CharField(help_text="Why nothing was kept in this organization.")

    def get_policies(self, copied: Any) -> list[str]:
        return [str(policy.id) for policy in copied.made]

    def get_applications(self, copied: Any) -> list[str]:
        return [str(application.id) for application in copied.applications]


class CopyAnswer(serializers.Serializer[Any]):
    mapping = MappedTargetAnswer(many=True)
    copied = CopiedAnswer(many=True)
