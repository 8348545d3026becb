"""`POST /evaluate/`: the decision on some facts at a computer or in a group, with its trace."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from policies.api.shapes import DraftBody
from policies.drafting import draft_from
from policies.engine.decision import Decision
from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.evaluate import evaluate
from policies.evaluation.answer import Answer, answer
from policies.evaluation.question import Question
from policies.evaluation.who_else import OrganizationTally, WhoElse, who_else
from portal.common import clock
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.serializers import InstantField, ReferenceField, StrictSerializer
from portal.common.api.views import PortalAPIView
from portal.common.errors import Refused
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

_FACT: dict[str, Any] = {"required": False, "allow_blank": True, "max_length": 32_768}


class FactsBody(StrictSerializer):
    """What a computer saw. An empty fact satisfies no condition."""

    path = serializers.CharField(**_FACT)
    sha256 = serializers.CharField(required=False, allow_blank=True, max_length=64)
    certificate = serializers.CharField(help_text="Subject of the file's valid signer.", **_FACT)
    process = serializers.CharField(help_text="Path of the launching program.", **_FACT)
    created_by = serializers.CharField(help_text="Path of the program that wrote the file.", **_FACT)
    command_line = serializers.CharField(**_FACT)
    user = serializers.CharField(required=False, allow_blank=True, max_length=256)
    action_type = serializers.CharField(required=False, max_length=32)


class EvaluateBody(StrictSerializer):
    computer = ReferenceField(required=False)
    group = ReferenceField(required=False, help_text="Any computer of this group without policies of its own.")
    facts = FactsBody()
    at = InstantField(required=False, help_text="Now unless given.")
    draft = DraftBody(required=False)
    policy_set = serializers.ChoiceField(
        choices=("saved", "deployed"),
        required=False,
        help_text="deployed: by the bundle that the computer runs; 422 when that is not known.",
    )
    who_else = serializers.BooleanField(required=False, help_text="Judge it at every computer in reach, too.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("computer" in attrs) == ("group" in attrs):
            raise serializers.ValidationError("Send computer or group.")
        if attrs.get("policy_set") == "deployed" and ("group" in attrs or "draft" in attrs):
            raise serializers.ValidationError("What is deployed is known of one computer, and without a draft.")
        return attrs


class ConditionAnswer(serializers.Serializer[Any]):
    field = serializers.CharField()
    pattern = serializers.CharField()
    value = serializers.CharField()
    matched = serializers.BooleanField()


class StepAnswer(serializers.Serializer[Any]):
    """One candidate: won, skipped (with the reason), later, or near_miss (with the condition that failed)."""

    outcome = serializers.CharField()
    policy = serializers.CharField()
    policy_name = serializers.CharField()
    action = serializers.CharField()
    level = serializers.CharField()
    order = serializers.IntegerField()
    application = serializers.CharField(allow_null=True)
    application_name = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    rule_number = serializers.IntegerField()
    reason = serializers.CharField()
    conditions = ConditionAnswer(many=True)
    sentence = serializers.CharField()


class ProposedRuleAnswer(serializers.Serializer[Any]):
    hash = serializers.CharField()
    path = serializers.CharField()
    process = serializers.CharField()
    created_by = serializers.CharField()
    certificate = serializers.CharField()


class PermittingChangeAnswer(serializers.Serializer[Any]):
    """A change after which it would be permitted, proved by the engine. `policy` and `application` are what is
    changed, null for a new one; `before`: the policy that the new or moved one must stand before."""

    code = serializers.CharField()
    text = serializers.CharField()
    also = serializers.CharField(help_text="What else it would permit.")
    level = serializers.CharField()
    policy = serializers.CharField(allow_null=True)
    application = serializers.CharField(allow_null=True)
    rule = ProposedRuleAnswer(allow_null=True)
    before = serializers.CharField(allow_null=True)


class TallyAnswer(serializers.Serializer[Any]):
    permitted = serializers.IntegerField()
    ringfenced = serializers.IntegerField()
    would_deny = serializers.IntegerField(help_text="Permitted only because of the computer's mode.")
    denied = serializers.IntegerField()


class GroupTallyAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    tally = TallyAnswer()
    because = serializers.ListField(child=serializers.CharField(), help_text="Names of the policies that decide.")


class OrganizationTallyAnswer(serializers.Serializer[Any]):
    organization = serializers.UUIDField(source="organization.id")
    organization_name = serializers.CharField(source="organization.name")
    tally = TallyAnswer()
    groups = serializers.SerializerMethodField()

    def get_groups(self, of: OrganizationTally) -> list[dict[str, Any]]:
        return list(GroupTallyAnswer(list(of.groups.values()), many=True).data)


class WhoElseAnswer(serializers.Serializer[Any]):
    """Computers of the same operating system in reach. Organizations out of reach are not counted."""

    total = TallyAnswer()
    organizations = OrganizationTallyAnswer(many=True)
    places = serializers.IntegerField(help_text="How many distinct places were judged.")


class DecisionAnswer(serializers.Serializer[Any]):
    action = serializers.CharField(help_text="What the policy says.")
    effect = serializers.ChoiceField(choices=("permitted", "denied", "ringfenced"))
    simulated = serializers.BooleanField(help_text="Not enforced in the computer's mode.")
    learned = serializers.BooleanField()
    policy = serializers.CharField(allow_null=True)
    policy_name = serializers.CharField()
    application = serializers.CharField(allow_null=True)
    application_name = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    because = serializers.CharField()
    reason_code = serializers.CharField()
    trace = StepAnswer(many=True)


class EvaluationAnswer(DecisionAnswer):
    """The decision, and what would permit what it stops."""

    near_misses = StepAnswer(many=True, help_text="The last steps of the trace, closest first.")
    smallest_change = PermittingChangeAnswer(
        allow_null=True, help_text="Of the changes that would permit it, the smallest."
    )
    other_changes = PermittingChangeAnswer(many=True)
    missing = serializers.ListField(child=serializers.CharField(), help_text="Facts that were not given.")
    bundle_version = serializers.IntegerField(allow_null=True, help_text="Of policy_set deployed.")
    who_else = WhoElseAnswer(allow_null=True)


EXAMPLE = {
    "computer": "01a1fd00-0000-7000-8000-000000000001",
    "facts": {"path": "c:\\windows\\temp\\acmermm\\4be10c77d2.ps1", "created_by": "c:\\program files\\acmermm\\a.exe"},
}


class Evaluate(PortalAPIView):
    """What would happen."""

    needs = {"POST": Capability.POLICY_READ}
    body = {"POST": EvaluateBody}
    answer = {"POST": EvaluationAnswer, "GET": EvaluationAnswer}
    examples = {"POST": (EXAMPLE, None)}

    def post(self, request: PortalAPIRequest) -> Response:
        """Judge facts at a computer or in a group, now or at another time, with a draft policy if one is given.

        What is stopped comes with the smallest change that would permit it, as saved and without the draft.
        """
        wanted = self.parsed()
        question = _question(request.reach, wanted)
        found = answer(request.reach, question)
        if found.not_deployed:
            raise Refused("What this computer runs is not known: it has acknowledged no bundle.", pointer="/policy_set")
        decision = found.decision
        if wanted.get("draft"):
            draft = draft_from(request.reach, wanted["draft"])
            decision = evaluate(
                request.reach, facts=question.facts, computer=question.computer, group=question.group,
                at=question.at, draft=draft,
            )  # fmt: skip
        others = None
        if wanted.get("who_else"):
            at_ms = clock.to_ms(question.at or clock.now())
            others = who_else(request.reach, facts=normal_facts(question.facts), os=question.os, at_ms=at_ms)
        return self.one(_told(found, decision, others))


def _question(reach: Reach, wanted: dict[str, Any]) -> Question:
    computer = tenants.computer(reach, wanted["computer"]) if wanted.get("computer") else None
    group = tenants.group(reach, wanted["group"]) if wanted.get("group") else None
    facts = dict(wanted["facts"])
    certificate = facts.pop("certificate", "")
    target = computer or group
    return Question(
        facts=FileFacts(
            **{"path": "", **facts},
            certificates=(certificate,) if certificate else (),
            os=target.os if target else "windows",
        ),
        computer=computer,
        group=group,
        at=wanted.get("at"),
        as_deployed=wanted.get("policy_set") == "deployed",
    )


def _told(found: Answer, decision: Decision, others: WhoElse | None) -> dict[str, Any]:
    plain = {field.name: getattr(decision, field.name) for field in fields(decision)}
    changes = found.changes if decision.action == "deny" else ()
    return {
        **plain,
        "near_misses": [step for step in decision.trace if step.outcome == "near_miss"],
        "smallest_change": changes[0] if changes else None,
        "other_changes": changes[1:],
        "missing": found.question.missing,
        "bundle_version": found.deployed.version if found.deployed else None,
        "who_else": others,
    }
