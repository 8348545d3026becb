"""What follows a baseline is changed there, or here by an exception that has a reason and a review date."""

from __future__ import annotations

from policies.models import BaselineException, ExceptionKind, Policy, Subscription
from portal.common.errors import Refused
from portal.tenants.reach import Reach


def check_may_change(reach: Reach, policy: Policy) -> None:
    """Raise Refused when a policy follows a baseline and no exception lets it be changed here. One that follows none
    costs no statement."""
    if policy.linked_to_id is None:
        return
    exception = exception_of(reach, policy)
    if exception is not None and exception.kind == ExceptionKind.CHANGED:
        return
    subscription = subscription_of(reach, policy)
    if subscription is None:
        return
    if exception is not None:
        raise Refused(
            f"{policy.name} is left out here until {exception.review_on:%Y-%m-%d}: {exception.reason} "
            "End this exception, and the baseline's version is back.",
            code="left_out",
        )
    raise Refused(
        f"{policy.name} follows the baseline {subscription.baseline.name}. Make an exception with a reason and a "
        "review date to change or leave it out here, or change the baseline for all who follow it.",
        code="follows_baseline",
    )


def exception_of(reach: Reach, policy: Policy) -> BaselineException | None:
    """The exception in force for a policy that follows a baseline."""
    if policy.linked_to_id is None:
        return None
    found: BaselineException | None = (
        BaselineException.objects.within(reach)
        .filter(
            source=policy.linked_to_id,
            organization_id=policy.organization_id,
            subscription__target_group_id=policy.target_group_id,
            ended_at__isnull=True,
        )
        .first()
    )
    return found


def subscription_of(reach: Reach, policy: Policy) -> Subscription | None:
    """By which subscription a policy is here; None when it follows nothing (any more)."""
    found: Subscription | None = (
        Subscription.objects.within(reach)
        .select_related("baseline")
        .filter(
            organization_id=policy.organization_id,
            target_group_id=policy.target_group_id,
            baseline__versions__policies__contains=[{"source": str(policy.linked_to_id)}],
        )
        .first()
    )
    return found
