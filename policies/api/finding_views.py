"""REST views of what lint finds: of an organization, of one application; mending and accepting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from policies import linting
from policies.engine.lint import CODES
from policies.linting import Finding, Outcome, listing
from policies.linting.acceptance import MOST_AT_ONCE as MOST_ACCEPTED
from policies.linting.remedies import MOST_AT_ONCE
from portal.common.api.listing import cursor, page_size
from portal.common.api.requests import PortalAPIRequest, flag
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer
from portal.common.api.views import PortalAPIView
from portal.common.errors import FieldError, Invalid, NotFound
from portal.common.paging import Page
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.POLICY_READ, Capability.POLICY_WRITE
_KEY = "expired~policy~01a1fd00-0000-7000-8000-000000000002~~disable_policy"
_SEVERITIES = ("danger", "warn", "info")


class AdviceAnswer(serializers.Serializer[Any]):
    """What lint says. `rule` is the file rule it is about, null when it is about the whole."""

    code = serializers.CharField(help_text="One of the codes of docs/rest-api.md.")
    severity = serializers.ChoiceField(choices=_SEVERITIES)
    rule = serializers.SerializerMethodField()
    field = serializers.CharField(help_text="The box of the rule; empty when it is about the whole.")
    message = serializers.CharField()
    why = serializers.CharField(help_text="What goes wrong in three months.")
    suggestion = serializers.SerializerMethodField(help_text="What mends it, in a few words; may be empty.")

    def get_rule(self, one: Finding) -> str | None:
        return str(one.subject_id) if one.subject_type == "rule" else None

    def get_suggestion(self, one: Finding) -> str:
        return one.fix.label.rstrip("…") if one.fix else ""


class AcceptedAnswer(serializers.Serializer[Any]):
    reason = serializers.CharField()
    review_on = serializers.DateField(help_text="On that day it counts again.")
    accepted_at = InstantField()
    accepted_by = serializers.CharField()


class FindingAnswer(AdviceAnswer):
    key = serializers.CharField(help_text="Names it in findings/fix/ and findings/accept/.")
    organization = serializers.UUIDField(source="seen_at")
    subject_type = serializers.ChoiceField(choices=("policy", "application", "rule"))
    subject = serializers.UUIDField(source="subject_id")
    subject_name = serializers.CharField(help_text="Of a rule: its application.")
    application = serializers.UUIDField(source="application_id", allow_null=True)
    others = serializers.ListField(child=serializers.UUIDField(), help_text="The policy that wins, the twin of a rule.")
    inherited = serializers.BooleanField(help_text="It lives in an organization above.")
    is_fixable = serializers.SerializerMethodField(help_text="findings/fix/ mends it.")
    accepted = AcceptedAnswer(allow_null=True)

    def get_is_fixable(self, one: Finding) -> bool:
        return one.fix is not None and one.fix.is_done_here


class FindingQuery(QuerySerializer):
    organization = ReferenceField(required=False, help_text="Id or slug. Without it: all in reach, as last judged.")
    code = serializers.ChoiceField(choices=[str(code) for code in CODES], required=False)
    severity = serializers.ChoiceField(choices=_SEVERITIES, required=False)
    show = serializers.ChoiceField(
        choices=("open", "accepted", "above"), required=False, help_text="open unless said; above: inherited ones."
    )


class FixBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    findings = serializers.ListField(child=serializers.CharField(max_length=200), max_length=MOST_AT_ONCE)


class FailedAnswer(serializers.Serializer[Any]):
    finding = serializers.CharField(source="key")
    reason = serializers.CharField()


class UndoAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    summary = serializers.CharField()


class FixAnswer(serializers.Serializer[Any]):
    mended = serializers.SerializerMethodField()
    failed = FailedAnswer(many=True)
    undo_steps = UndoAnswer(source="steps", many=True)

    def get_mended(self, outcome: Outcome) -> list[str]:
        return [one.key for one in outcome.mended]


class FindingAcceptBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    findings = serializers.ListField(child=serializers.CharField(max_length=200), max_length=MOST_ACCEPTED)
    reason = serializers.CharField(max_length=500)
    review_on = serializers.DateField(help_text="Within a year.")


class WithdrawBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    findings = serializers.ListField(child=serializers.CharField(max_length=200), max_length=MOST_ACCEPTED)


class FindingList(PortalAPIView):
    """What lint finds, worst first. Of one code the first 500 of an organization are listed."""

    needs = {"GET": _READ}
    answer = {"GET": FindingAnswer}
    query = FindingQuery
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        asked = self.asked()
        reference = asked.pop("organization", "")
        wanted = (
            [tenants.organization(request.reach, reference).id]
            if reference
            else sorted(request.reach.with_capability(_READ))
        )
        found = listing.chosen(linting.report(request.reach, wanted).findings, listing.Terms(**asked))
        return self.page(_page(request, found), count=lambda: len(found))


class ApplicationFindings(PortalAPIView):
    """What lint says of one application and its rules, as they are now; accepted findings are left out."""

    needs = {"GET": Capability.APPLICATION_READ}
    answer = {"GET": AdviceAnswer}

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        found = linting.findings_of_application(request.reach, application_id)
        return Response(self.represent([one for one in found if one.accepted is None], many=True))


class FindingFix(PortalAPIView):
    """Mend findings of one organization: one undoable step for each kind of remedy."""

    needs = {"POST": _WRITE}
    body = {"POST": FixBody}
    answer = {"GET": FixAnswer, "POST": FixAnswer}
    examples = {"POST": ({"organization": "able-moose-accounting", "findings": [_KEY]}, None)}

    def post(self, request: PortalAPIRequest) -> Response:
        """What cannot be mended is told with its reason; what can is done."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted["organization"])
        request.reach.require(_WRITE, organization.id)
        done = linting.fix(request.reach, organization_id=organization.id, keys=wanted["findings"])
        return Response(self.represent(done))


class FindingAccept(PortalAPIView):
    """Live with findings until a day; on it they count again."""

    needs = {"POST": _WRITE, "DELETE": _WRITE}
    body = {"POST": FindingAcceptBody, "DELETE": WithdrawBody}
    answer = {"GET": AcceptedAnswer, "POST": AcceptedAnswer}
    examples = {
        "POST": (
            {
                "organization": "able-moose-accounting",
                "findings": [_KEY],
                "reason": "The vendor signs nothing; asked again in T-311.",
                "review_on": "2027-02-01",
            },
            None,
        )
    }

    def post(self, request: PortalAPIRequest) -> Response:
        """Accept them, with the reason that whoever reviews it will want to know."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted["organization"])
        rows = linting.accept(
            request.reach,
            organization_id=organization.id,
            subjects=_subjects(wanted["findings"]),
            reason=wanted["reason"],
            review_on=wanted["review_on"],
        )
        return Response(self.represent(rows, many=True))

    def delete(self, request: PortalAPIRequest) -> Response:
        """Take acceptances back."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted["organization"])
        for code, _, subject in _subjects(wanted["findings"]):
            linting.withdraw(request.reach, organization_id=organization.id, code=code, subject=subject)
        return self.gone()


def with_warnings(request: PortalAPIRequest, answer: Response, check: Callable[[], Sequence[Finding]]) -> Response:
    """The answer to a dry run, with what lint says of what would be saved. Another answer stays as it is."""
    if flag(request, "dry_run"):
        answer.data["warnings"] = AdviceAnswer(check(), many=True).data
    return answer


def _subjects(keys: Sequence[str]) -> list[tuple[str, str, Any]]:
    try:
        return [linting.subject_of(key) for key in keys]
    except ValueError as error:
        raise Invalid([FieldError("/findings", f"{error} is no key of a finding.")]) from error


def _page(request: PortalAPIRequest, found: list[Finding]) -> Page[Finding]:
    """A slice of the list; the cursor is its start."""
    after = cursor(request) or "0"
    if not (after.isascii() and after.isdigit() and len(after) < 9):
        raise NotFound
    start, size = int(after), page_size(request)
    end = start + size
    return Page(
        rows=found[start:end],
        next=str(end) if end < len(found) else "",
        previous=str(max(0, start - size)) if start else "",
    )
