"""Approval requests: received from an agent, listed, approved (which is making the rule) or denied, expired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agents.protocol.messages import RequestAnswer, RequestMessage, RequestStatus
from audit.approvals import Permit, Permitted, permit_application
from audit.event_rows import EventKey, EventRow
from audit.models import ApprovalRequest, RequestState
from audit.stored_text import has_hidden_characters, stored
from audit.words import ACTION_TYPES, Action, ActionType, EventMode, Flag, Outcome
from policies import asking
from policies.engine.facts import FileFacts
from policies.models import Level
from portal.common import clock
from portal.common.errors import Conflict, NotFound, Refused, TooMany
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach

LIFETIME = timedelta(days=4)
MOST_PENDING = 50
_MAKING = {Capability.POLICY_WRITE, Capability.APPLICATION_WRITE, Capability.DEPLOYMENT_WRITE}
_ANSWERS = {
    RequestState.PENDING: "Your request was sent. You will see the answer here.",
    RequestState.APPROVED: "Approved. Try again in a moment.",
    RequestState.DENIED: "Not approved.",
    RequestState.EXPIRED: "Nobody answered in time. Ask again if you still need it.",
    RequestState.WITHDRAWN: "Withdrawn.",
}


@transaction.atomic
def receive_request(reach: Reach, *, computer: Computer, message: RequestMessage) -> ApprovalRequest:
    """Keep what a computer asks. The same file asked again while pending is the same request, with the newer reason.

    Raises TooMany when the computer has too many open ones, Refused when the policy that denies it takes no requests.
    Text is kept in stored form.
    """
    open_ones = ApprovalRequest.objects.within(reach).filter(computer=computer, state=RequestState.PENDING)
    same = open_ones.filter(path=stored(message.path), sha256=message.sha256).select_for_update().first()
    now = clock.now()
    if same is not None:
        same.reason = stored(message.reason)[:2000] or same.reason
        same.expires_at = now + LIFETIME
        same.save(update_fields=["reason", "expires_at"])
        found: ApprovalRequest = same
        return found
    if open_ones.count() >= MOST_PENDING:
        raise TooMany(3600, f"This computer has {MOST_PENDING} open requests already. Wait for an answer.")
    if not_taken := asking.refusal(reach, computer, _facts(message)):
        raise Refused(not_taken, code="requests_not_taken")
    request = ApprovalRequest(
        organization_id=computer.organization_id,
        computer=computer,
        user=stored(message.user)[:512],
        reason=stored(message.reason)[:2000],
        action_type=message.action_type if message.action_type in ACTION_TYPES else ActionType.OTHER.word,
        path=stored(message.path),
        sha256=message.sha256,
        certificate=stored(message.certificate),
        process=stored(message.process),
        created_by=stored(message.created_by),
        command_line=stored(message.command_line),
        denied_by=stored(message.policy)[:64],
        event_sequence=message.event_sequence,
        occurred_at=_believed(message.occurred_at_ms),
        created_at=now,
        expires_at=now + LIFETIME,
    )
    request.save(force_insert=True)
    return request


def _facts(message: RequestMessage) -> FileFacts:
    return FileFacts(
        path=message.path,
        sha256=message.sha256,
        certificates=(message.certificate,) if message.certificate else (),
        process=message.process,
        created_by=message.created_by,
        command_line=message.command_line,
        user=message.user,
        action_type=message.action_type,
    )


def answer_of(request: ApprovalRequest) -> RequestAnswer:
    """What the computer shows the person who asked."""
    state = RequestState(request.state)
    return RequestAnswer(
        id=str(request.id),
        status=cast(RequestStatus, state.value),
        message=request.answer or _ANSWERS[state],
        decided_at=int(request.decided_at.timestamp()) if request.decided_at else None,
    )


def request_of_computer(reach: Reach, *, computer: Computer, request_id: UUID | str) -> ApprovalRequest:
    """A request that this computer made. Raises NotFound."""
    found = ApprovalRequest.objects.within(reach).filter(id=as_uuid(request_id), computer=computer).first()
    if found is None:
        raise NotFound
    request: ApprovalRequest = found
    return request


def approval_requests(
    reach: Reach, *, organization_id: UUID | None = None, state: str = ""
) -> QuerySet[ApprovalRequest]:
    """Requests of one organization, or of all whose requests may be read, newest first."""
    readable = {organization_id} if organization_id else reach.with_capability(Capability.REQUEST_READ)
    found: QuerySet[ApprovalRequest] = ApprovalRequest.objects.within(reach).select_related(
        "organization", "computer", "computer__group", "policy"
    )
    if not reach.everything or organization_id:
        found = found.filter(organization_id__in=readable)
    if state:
        found = found.filter(state=state)
    return found.order_by("-created_at", "-id")


def approval_request(reach: Reach, request_id: UUID | str) -> ApprovalRequest:
    """One request. Raises NotFound."""
    found = approval_requests(reach).filter(id=as_uuid(request_id)).first()
    if found is None:
        raise NotFound
    return found


def pending_count(reach: Reach, organization_id: UUID | None) -> int:
    """How many wait for an answer."""
    return approval_requests(reach, organization_id=organization_id, state=RequestState.PENDING).count()


def event_of(request: ApprovalRequest) -> EventRow:
    """The request's facts as an event, for everything that is made from an event."""
    computer = request.computer
    texts = (request.path, request.process, request.created_by, request.certificate, request.user)
    return EventRow(
        key=EventKey(request.created_at, 0, computer.organization.number),
        occurred_at=request.occurred_at,
        sequence=request.event_sequence or 0,
        organization=computer.organization,
        computer=computer,
        group=computer.group,
        outcome=Outcome.DENIED,
        action_type=ACTION_TYPES.get(request.action_type, ActionType.OTHER),
        mode=EventMode[computer.mode.upper()],
        flags=Flag.HIDDEN_CHARACTERS if any(map(has_hidden_characters, texts)) else Flag(0),
        size=0,
        bundle_version=0,
        command_line=request.command_line,
        file_id=0,
        path=request.path,
        sha256=request.sha256,
        certificate=request.certificate,
        process=request.process,
        created_by=request.created_by,
        user=request.user,
        action=Action.DENY,
        policy=request.denied_by,
        policy_name="",
        application="",
        application_name="",
        rule="",
        reason_code="default_deny",
    )


@transaction.atomic
def approve_request(reach: Reach, request_id: UUID | str, *, permit: Permit, answer: str = "") -> Permitted:
    """Approve: make the rule and the policy, answer everybody who asked for the same file within the scope.

    Needs `request:decide` where the request is. Who may not write policies otherwise decides for a computer, a group or
    the organization of the request, not wider. Raises NotFound, Forbidden, Refused, Conflict when it was decided.
    """
    request = _undecided(reach, request_id)
    maker = _deciding(reach, request, permit)
    made = permit_application(maker, event=event_of(request), permit=permit)
    for one in _asked_too(reach, request, made):
        _close(reach, one, RequestState.APPROVED, reason=permit.reason, answer=answer)
        one.policy = made.policy
        one.save(update_fields=["policy"])
        _tell(reach, one, "request.approved")
    return made


@transaction.atomic
def deny_request(reach: Reach, request_id: UUID | str, *, reason: str = "", tell_user: str = "") -> ApprovalRequest:
    """Say no. `tell_user` is what the person reads. Raises NotFound, Forbidden, Conflict when it is decided already."""
    request = _undecided(reach, request_id)
    _close(reach, request, RequestState.DENIED, reason=reason, answer=tell_user)
    _tell(reach, request, "request.denied")
    return request


def expire_requests(reach: Reach) -> int:
    """Close what nobody answered in time. Needs a reach over everything; safe to repeat."""
    due = ApprovalRequest.objects.within(reach).filter(state=RequestState.PENDING, expires_at__lte=clock.now())
    return int(due.update(state=RequestState.EXPIRED, decided_at=clock.now()))


def _undecided(reach: Reach, request_id: UUID | str) -> ApprovalRequest:
    request = approval_request(reach, request_id)
    reach.require(Capability.REQUEST_DECIDE, request.organization_id)
    ApprovalRequest.objects.within(reach).filter(id=request.id).order_by().select_for_update().first()
    request = approval_request(reach, request_id)
    if request.state != RequestState.PENDING:
        who = request.decided_by or "Somebody"
        raise Conflict(f"{who} was first: this request is {request.get_state_display().lower()}. Nothing was changed.")
    return request


def _deciding(reach: Reach, request: ApprovalRequest, permit: Permit) -> Reach:
    """The reach in which the rule is made: deciding includes what it takes, in the request's organization only."""
    own = reach.grants.get(request.organization_id, frozenset())
    if reach.everything or own >= _MAKING:
        return reach
    if permit.level == Level.GLOBAL:
        raise Refused(
            "This reaches beyond the organization. Ask somebody who may write policies for it.", pointer="/scope/level"
        )
    return replace(
        reach, grants={request.organization_id: own | _MAKING}, ancestors=reach.ancestors | set(reach.grants)
    )


def _asked_too(reach: Reach, request: ApprovalRequest, made: Permitted) -> Iterable[ApprovalRequest]:
    """The request, and the other pending ones for the same file that the new scope covers."""
    same = approval_requests(reach, state=RequestState.PENDING).filter(path=request.path, sha256=request.sha256)
    if made.scope.level == Level.COMPUTER:
        same = same.filter(computer_id=made.scope.target)
    elif made.scope.level == Level.GROUP:
        same = same.filter(computer__group_id=made.scope.target)
    else:
        same = same.filter(organization_id=request.organization_id)
    found = {one.id: one for one in same if reach.can(Capability.REQUEST_DECIDE, one.organization_id)}
    return {request.id: request, **found}.values()


def _close(reach: Reach, request: ApprovalRequest, state: RequestState, *, reason: str, answer: str) -> None:
    request.state = state
    request.decided_at = clock.now()
    request.decided_by = reach.actor.name
    request.decision_reason = reason[:1000]
    request.answer = answer[:1000]
    request.save(update_fields=["state", "decided_at", "decided_by", "decision_reason", "answer"])


def _tell(reach: Reach, request: ApprovalRequest, verb: str) -> None:
    journal.record(
        reach,
        verb,
        request,
        organization_id=request.organization_id,
        computer=request.computer.name,
        user=request.user,
        sha256=request.sha256,
        reason=request.decision_reason,
        policy=str(request.policy_id or ""),
    )


def _believed(occurred_at_ms: int) -> datetime:
    now = clock.now()
    try:
        found = clock.from_ms(occurred_at_ms)
    except (OverflowError, ValueError, OSError):
        return now
    return found if now - timedelta(days=90) <= found <= now + timedelta(minutes=5) else now
