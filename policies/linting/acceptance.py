"""Living with a finding for a while: who decided so, why, and when it comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.db import transaction

from policies.models import AcceptedFinding
from policies.scopes import lock_organization
from portal.common import clock
from portal.common.errors import FieldError, Invalid, NotFound
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

MOST_DAYS = 366
MOST_AT_ONCE = 500

# By organization, code and subject.
Accepted = Mapping[tuple[UUID, str, UUID], AcceptedFinding]


def accepted_at(reach: Reach, organization_ids: Iterable[UUID]) -> Accepted:
    """The acceptances of these organizations whose review is still to come. One statement."""
    rows = AcceptedFinding.objects.within(reach).filter(
        organization_id__in=list(organization_ids), review_on__gt=clock.now().date()
    )
    return {(row.organization_id, row.code, row.subject): row for row in rows}


@transaction.atomic
def accept(
    reach: Reach,
    *,
    organization_id: UUID,
    subjects: Sequence[tuple[str, str, UUID]],
    reason: str,
    review_on: date,
) -> list[AcceptedFinding]:
    """Accept findings, each (code, subject type, subject), until `review_on`. One accepted already gets the new words.

    Raises NotFound, Forbidden, Invalid. Locks the organization.
    """
    reach.require(Capability.POLICY_WRITE, organization_id)
    organization = lock_organization(reach, organization_id)
    _check(subjects, reason, review_on)
    rows = []
    for code, subject_type, subject in dict.fromkeys(subjects):
        row, _ = AcceptedFinding.objects.within(reach).update_or_create(
            organization_id=organization_id,
            code=code,
            subject_type=subject_type,
            subject=subject,
            defaults={
                "reason": reason.strip(),
                "review_on": review_on,
                "accepted_at": clock.now(),
                "accepted_by": reach.actor.name,
            },
        )
        rows.append(row)
        journal.record(
            reach,
            "finding.accepted",
            organization,
            organization_id=organization_id,
            after={"code": code, "subject": str(subject), "reason": reason.strip(), "review_on": str(review_on)},
        )
    return rows


@transaction.atomic
def withdraw(reach: Reach, *, organization_id: UUID, code: str, subject: UUID) -> None:
    """Take an acceptance back: the finding counts again. Raises NotFound, Forbidden."""
    reach.require(Capability.POLICY_WRITE, organization_id)
    organization = lock_organization(reach, organization_id)
    row = (
        AcceptedFinding.objects.within(reach)
        .filter(organization_id=organization_id, code=code, subject=subject)
        .first()
    )
    if row is None:
        raise NotFound
    journal.record(
        reach,
        "finding.acceptance_withdrawn",
        organization,
        organization_id=organization_id,
        before={"code": code, "subject": str(subject), "reason": row.reason, "review_on": str(row.review_on)},
    )
    row.delete()


def _check(subjects: Sequence[tuple[str, str, UUID]], reason: str, review_on: date) -> None:
    faults = []
    today = clock.now().date()
    if not 0 < len(subjects) <= MOST_AT_ONCE:
        faults.append(FieldError("/findings", f"Choose 1 to {MOST_AT_ONCE} findings."))
    if not reason.strip():
        faults.append(FieldError("/reason", "Say why this is accepted: whoever reviews it will want to know."))
    if len(reason) > 500:
        faults.append(FieldError("/reason", "This may have 500 characters at most."))
    if not today < review_on <= today + timedelta(days=MOST_DAYS):
        faults.append(FieldError("/review_on", "Choose a day within a year from tomorrow on: then it comes back."))
    if faults:
        raise Invalid(faults)
