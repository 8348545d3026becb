"""Shapes of applications, their file rules and match previews in the REST API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.drainage import set_override
from rest_framework import serializers

from policies.application_list import MANY_HASHES, ORIGINS, SORTS, UNUSED_WEEKS
from policies.application_rows import ApplicationRow
from policies.models import Category, FileRule, Kind
from policies.portable import FORMAT, Incoming
from policies.rule_lists import MOST_LINES
from policies.strength import strength
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer
from portal.tenants.models import OperatingSystem

_CONDITION: dict[str, Any] = {"required": False, "allow_blank": True, "max_length": 2048}
_FLAG: dict[str, Any] = {"required": False}


class RuleBody(StrictSerializer):
    """Conditions joined by AND. An empty one is not looked at; one at least is needed."""

    hash = serializers.CharField(help_text="SHA-256, 64 hex digits.", **_CONDITION)
    path = serializers.CharField(help_text="Whole path; * and ? are wildcards, regex: begins an RE2.", **_CONDITION)
    process = serializers.CharField(help_text="Path of the launching program; [] must be empty.", **_CONDITION)
    created_by = serializers.CharField(help_text="Path of the program that wrote the file.", **_CONDITION)
    certificate = serializers.CharField(help_text="Subject of the signer, whole.", **_CONDITION)
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)


class StrengthAnswer(serializers.Serializer[Any]):
    """How hard a rule is to slip past, 0 to 5; of an application: its weakest rule."""

    score = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    reasons = serializers.ListField(child=serializers.CharField())
    better = serializers.ListField(child=serializers.CharField(), help_text="What would make it stronger.")


class RuleAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    application = serializers.UUIDField(source="application_id")
    position = serializers.IntegerField()
    hash = serializers.CharField()
    path = serializers.CharField()
    process = serializers.CharField()
    created_by = serializers.CharField()
    certificate = serializers.CharField()
    note = serializers.CharField()
    strength = serializers.SerializerMethodField(help_text="0 to 5.")
    changed_at = InstantField()
    changed_by = serializers.CharField()

    def get_strength(self, rule: FileRule) -> int:
        return strength(rule, rule.application.os).score


class BulkRulesBody(StrictSerializer):
    """All or none; rules that the application has already are counted, not added."""

    rules = serializers.ListField(child=RuleBody(), min_length=1, max_length=MOST_LINES)


class BulkRulesAnswer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    known = serializers.IntegerField(help_text="Were there already, or twice in the list.")


class RuleCountsAnswer(serializers.Serializer[Any]):
    """Rules by what they go by first."""

    hash = serializers.IntegerField()
    signer = serializers.IntegerField()
    path = serializers.IntegerField()
    program = serializers.IntegerField()


class _Row(serializers.Field[Any, Any, Any, Any]):
    """A value that the page's rows hold for an application, beside its own columns. `shape`: what it is, for the
    documentation."""

    def __init__(self, read: Any, shape: Any, **kwargs: Any) -> None:
        self._read = read
        super().__init__(source="*", read_only=True, **kwargs)
        set_override(self, "field", shape)

    def to_representation(self, value: Any) -> Any:
        row: ApplicationRow = self.context["rows"][value.id]
        return self._read(row)


def _strength_of(row: ApplicationRow) -> dict[str, Any] | None:
    return asdict(row.strength) if row.strength else None


def _last_match_of(row: ApplicationRow) -> Any:
    return InstantField().to_representation(row.matches.last_at) if row.matches.last_at else None


class ApplicationAnswer(serializers.Serializer[Any]):
    """`matches_30d`, `last_matched_at` and `computers_30d` count each minute what computers in reach reported."""

    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id", allow_null=True, help_text="null: built in.")
    organization_name = serializers.CharField(source="organization.name", default=None, allow_null=True)
    kind = serializers.ChoiceField(choices=Kind.choices)
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    name = serializers.CharField()
    shown_name = _Row(
        lambda row: row.name,
        serializers.CharField(),
        help_text="Parent\\Name where it is not the asked organization's own.",
    )
    publisher = serializers.CharField()
    category = serializers.CharField(help_text="Empty when it has none.")
    risk = serializers.CharField()
    suggested_ringfence = serializers.JSONField(allow_null=True)
    description = serializers.CharField()
    source = serializers.CharField(help_text="Where a built-in application's facts are from.")  # type: ignore[assignment]
    hidden = serializers.BooleanField()
    catalogue_version = serializers.IntegerField()
    rule_count = _Row(lambda row: row.rules.total, serializers.IntegerField())
    rule_counts = _Row(
        lambda row: RuleCountsAnswer(row.rules).data,
        RuleCountsAnswer(),
        help_text="Rules by hash, signer, path, program.",
    )
    strength = _Row(
        _strength_of, StrengthAnswer(allow_null=True), help_text="By its weakest rule; null without a rule."
    )
    policy_count = _Row(
        lambda row: sum(use.number for use in row.uses),
        serializers.IntegerField(),
        help_text="Policies in reach that name it.",
    )
    policies_by_scope = _Row(
        lambda row: {use.level: use.number for use in row.uses},
        serializers.DictField(child=serializers.IntegerField()),
        help_text="Level to number.",
    )
    matches_30d = _Row(lambda row: row.matches.count, serializers.IntegerField())
    last_matched_at = _Row(
        _last_match_of, InstantField(allow_null=True), help_text="Within the last 30 days; else null."
    )
    findings = _Row(
        lambda row: row.findings,
        serializers.IntegerField(),
        help_text="What lint keeps about it; 0 unless an organization is asked.",
    )
    computers_30d = _Row(lambda row: row.computers, serializers.IntegerField())
    created_at = InstantField()
    created_by = serializers.CharField()
    changed_at = InstantField()
    changed_by = serializers.CharField()


class ApplicationDetailAnswer(ApplicationAnswer):
    rules = serializers.SerializerMethodField(help_text="The first 500 rules; all of them at rules/.")

    def get_rules(self, application: Any) -> list[Any]:
        return list(RuleAnswer(application.rules.select_related("application")[:500], many=True).data)


class ApplicationBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    name = serializers.CharField(max_length=120)
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    category = serializers.ChoiceField(choices=Category.choices, required=False, allow_blank=True)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    publisher = serializers.CharField(required=False, allow_blank=True, max_length=120)
    rules = RuleBody(many=True, required=False)


class ApplicationChange(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False)
    category = serializers.ChoiceField(choices=Category.choices, required=False, allow_blank=True)
    description = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    publisher = serializers.CharField(required=False, allow_blank=True, max_length=120)
    hidden = serializers.BooleanField(required=False)


class DuplicateBody(StrictSerializer):
    organization = ReferenceField(help_text="Whose the copy is: id or slug.")
    name = serializers.CharField(max_length=120, required=False, help_text="The original's unless said.")


class ApplicationQuery(QuerySerializer):
    organization = ReferenceField(required=False, help_text="Those that its policies may name; numbers are its own.")
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    origin = serializers.ChoiceField(choices=ORIGINS, required=False, help_text="own, above (inherited) or builtin.")
    os = serializers.ChoiceField(choices=OperatingSystem.choices, required=False)
    category = serializers.ChoiceField(choices=Category.choices, required=False)
    q = serializers.CharField(
        required=False, max_length=120, help_text="In the name, the publisher or a rule; or a hash's beginning."
    )
    unused = serializers.BooleanField(help_text=f"Older than {UNUSED_WEEKS} weeks, no match in them.", **_FLAG)
    no_policy = serializers.BooleanField(help_text="No policy in reach names it.", **_FLAG)
    many_hashes = serializers.BooleanField(help_text=f"More than {MANY_HASHES:,} rules with a hash.", **_FLAG)
    hash_only = serializers.BooleanField(help_text="Every rule has a hash.", **_FLAG)
    shares_hashes = serializers.BooleanField(help_text="A hash of it stands in another of these too.", **_FLAG)
    mine = serializers.BooleanField(help_text="Created or changed last by the caller.", **_FLAG)
    include_hidden = serializers.BooleanField(**_FLAG)
    sort = serializers.ChoiceField(
        choices=[f"{sign}{name}" for name in SORTS for sign in ("", "-")], required=False, help_text="- is descending."
    )


class PreviewBody(StrictSerializer):
    organization = ReferenceField(required=False, help_text="It and what lies beneath; else all in reach.")
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    rules = serializers.ListField(child=RuleBody(), min_length=1, max_length=MOST_LINES)


class PreviewQuery(QuerySerializer):
    organization = ReferenceField(required=False, help_text="It and what lies beneath; else all in reach.")


class ExampleAnswer(serializers.Serializer[Any]):
    path = serializers.CharField()
    sha256 = serializers.CharField()
    certificate = serializers.CharField()
    computers = serializers.IntegerField()
    denied = serializers.IntegerField()


class PreviewAnswer(serializers.Serializer[Any]):
    """What was seen in the last 30 days that any of the rules matches."""

    files = serializers.IntegerField()
    computers = serializers.IntegerField()
    organizations = serializers.IntegerField()
    events = serializers.IntegerField()
    denied_events = serializers.IntegerField()
    denied_files = serializers.IntegerField()
    only_denied = serializers.IntegerField(help_text="Files denied and, in the same organization, never permitted.")
    truncated = serializers.BooleanField(help_text="A limit was met: every number is a lower bound.")
    examples = ExampleAnswer(many=True)
    strengths = serializers.ListField(child=StrengthAnswer(), help_text="Of each rule that was sent.")


class PortableBody(StrictSerializer):
    """A file as `applications/{id}/export/` gives it."""

    organization = ReferenceField(help_text="Where they go: id or slug.")
    file = serializers.JSONField(help_text=f'An object with the format "{FORMAT}".')


class PortableFileAnswer(serializers.Serializer[Any]):
    format = serializers.CharField()
    applications = serializers.ListField(child=serializers.JSONField())


class IncomingAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    os = serializers.CharField()
    rules = serializers.SerializerMethodField(help_text="How many.")
    comes_in = serializers.BooleanField()
    taken = serializers.BooleanField(help_text="There is one of this name already.")
    faults = serializers.ListField(child=serializers.CharField())

    def get_rules(self, incoming: Incoming) -> int:
        return len(incoming.rules)


class PortableAnswer(serializers.Serializer[Any]):
    applications = IncomingAnswer(many=True)
    created = serializers.ListField(child=serializers.UUIDField())
