"""Shapes of tidying applications in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.application_shapes import RuleBody
from policies.rule_rows import MOST_RULES
from portal.common.api.serializers import InstantField, ReferenceField, StrictSerializer

_SEEN: dict[str, Any] = {
    "required": False,
    "max_length": 64,
    "help_text": "`seen` of a preview: 409 when what it showed is not so any more.",
}


class SeenAnswer(serializers.Serializer[Any]):
    """What was seen in the last 30 days, at the organization and beneath it."""

    files = serializers.IntegerField()
    computers = serializers.IntegerField()
    organizations = serializers.IntegerField()
    denied_explicitly = serializers.IntegerField(source="explicit", help_text="Files that a deny policy stopped.")
    at_least = serializers.BooleanField(help_text="A limit was met: the numbers are lower bounds.")
    examples = serializers.SerializerMethodField(help_text="Paths, at most five.")

    def get_examples(self, seen: Any) -> list[str]:
        return [example.path for example in seen.examples]


class UndoOfferAnswer(serializers.Serializer[Any]):
    """What undoes it: POST to undo-steps/<id>/undo/."""

    id = serializers.UUIDField()
    summary = serializers.CharField()
    created_at = InstantField()


class Previewed(serializers.Serializer[Any]):
    """What was (with dry_run: would be) done."""

    seen = serializers.CharField(source="plan.seen")
    undo_step = UndoOfferAnswer(source="step", allow_null=True, help_text="null with dry_run.")


class MergeBody(StrictSerializer):
    """Custom applications of one organization and system."""

    applications = serializers.ListField(min_length=2, max_length=100, child=serializers.UUIDField())
    survivor = serializers.UUIDField()
    seen = serializers.CharField(**_SEEN)


class PartAnswer(serializers.Serializer[Any]):
    application = serializers.UUIDField(source="application.id")
    application_name = serializers.CharField(source="application.name")
    moved = serializers.IntegerField()
    dropped = serializers.IntegerField(help_text="Rules that the survivor has already.")
    matched = SeenAnswer(source="seen", help_text="What its moved rules match.")


class ShiftAnswer(serializers.Serializer[Any]):
    """A policy that names one of them."""

    policy = serializers.UUIDField(source="policy_id")
    policy_name = serializers.CharField(source="name")
    newly_matched_rules = serializers.IntegerField(source="rules")
    of_applications = serializers.ListField(source="applications", child=serializers.CharField())
    relinked = serializers.BooleanField(help_text="It names the survivor in the place of others.")


class MergeAnswer(Previewed):
    survivor = serializers.UUIDField(source="plan.survivor.id")
    moved = serializers.IntegerField(source="plan.moved")
    dropped = serializers.IntegerField(source="plan.dropped")
    rules_after = serializers.IntegerField(source="plan.rules_after")
    parts = PartAnswer(source="plan.parts", many=True)
    policies = ShiftAnswer(source="plan.shifts", many=True)


class SplitBody(StrictSerializer):
    name = serializers.CharField(max_length=120)
    rules = serializers.ListField(
        min_length=1, max_length=MOST_RULES, help_text="The rules that leave.", child=serializers.UUIDField()
    )
    policies = serializers.ListField(
        required=False,
        max_length=10_000,
        help_text="Those that get the new one too; all, unless given.",
        child=serializers.UUIDField(),
    )
    seen = serializers.CharField(**_SEEN)


class SplitPolicyAnswer(serializers.Serializer[Any]):
    policy = serializers.UUIDField(source="policy_id")
    policy_name = serializers.CharField(source="name")
    chosen = serializers.BooleanField()


class SplitAnswer(Previewed):
    application = serializers.UUIDField(help_text="The new one; null with dry_run.", allow_null=True)
    rules = serializers.SerializerMethodField(help_text="How many left.")
    policies = SplitPolicyAnswer(source="plan.policies", many=True)
    unchanged = serializers.BooleanField(help_text="Every policy matches the same rules as before.")
    no_longer_matched = SeenAnswer(source="plan.lost", help_text="By the policies that were not chosen.")

    def get_rules(self, done: Any) -> int:
        return len(done.plan.rules)


class ProposalFaultAnswer(serializers.Serializer[Any]):
    pointer = serializers.CharField()
    detail = serializers.CharField()


class ProposalAnswer(serializers.Serializer[Any]):
    """A rule for the place of hashes. Send `rule` back, changed or not, to apply it."""

    rule = serializers.SerializerMethodField()
    ticked = serializers.BooleanField(help_text="Proposed without reserve.")
    replaces = serializers.IntegerField(source="hashes", help_text="Hashes.")
    examples = serializers.ListField(child=serializers.CharField(), help_text="Paths of replaced hashes.")
    strength = serializers.IntegerField(source="strength.score", default=None, allow_null=True, help_text="Of 5.")
    also_matches = SeenAnswer(source="also", help_text="What no rule of the application matches today.")
    faults = ProposalFaultAnswer(many=True)

    def get_rule(self, proposal: Any) -> dict[str, str]:
        return {name: text for name, _, text in proposal.boxes}


class StayingAnswer(serializers.Serializer[Any]):
    why = serializers.CharField()
    hashes = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.CharField())


class CollapseAnswer(Previewed):
    hash_rules = serializers.IntegerField(source="plan.hash_rules", help_text="Rules by hash alone.")
    replaced = serializers.SerializerMethodField(help_text="How many of them go.")
    covered_already = serializers.IntegerField(source="plan.already", help_text="Of these, by rules that are there.")
    rules_after = serializers.IntegerField(source="plan.rules_after")
    proposals = ProposalAnswer(source="plan.proposals", many=True)
    staying = StayingAnswer(source="plan.staying", many=True)

    def get_replaced(self, done: Any) -> int:
        return len(done.plan.replaced)


class CollapseBody(StrictSerializer):
    rules = RuleBody(many=True)
    seen = serializers.CharField(**_SEEN)


class CertificateBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug. Its own custom applications.")
    old = serializers.CharField(max_length=2048)
    new = serializers.CharField(max_length=2048)
    how = serializers.ChoiceField(
        choices=("beside", "replace"), required=False, help_text="beside (unless said): both are accepted."
    )
    seen = serializers.CharField(**_SEEN)


class AffectedAnswer(serializers.Serializer[Any]):
    application = serializers.UUIDField(source="application.id")
    application_name = serializers.CharField(source="application.name")
    rules = serializers.IntegerField()
    twins = serializers.IntegerField(help_text="Rules that another one says already.")
    policies = serializers.ListField(child=serializers.CharField(), help_text="Names, at most 20.")


class CertificateAnswer(Previewed):
    old = serializers.CharField(source="plan.old")
    new = serializers.CharField(source="plan.new")
    how = serializers.CharField(source="plan.how")
    rules = serializers.IntegerField(source="plan.rules")
    applications = AffectedAnswer(source="plan.affected", many=True)
    newly_matches = SeenAnswer(source="plan.gains")
    no_longer_matches = SeenAnswer(source="plan.loses")
