"""The demo's baseline: written once at the MSP, followed by a customer with one exception."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from policies import authoring, queries
from policies.baselines import exempting, lifecycle
from policies.drafts import PolicyDraft
from policies.models import Action, Level, Status, Subscription
from policies.scopes import Scope
from portal.common import clock
from portal.demo.scenario import BaselinePlan
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

REVIEW_AFTER = timedelta(days=30)


def make(reach: Reach, plan: BaselinePlan, msp: Organization, by_slug: dict[str, Organization]) -> None:
    """Write the baseline, let its followers follow it, and make its exception."""
    made = lifecycle.create_baseline(
        reach, organization_id=msp.id, name=plan.name, os="windows", description=plan.description
    )
    known = {a.name: a.id for a in queries.applications_for(reach, msp.id)}
    sources: dict[str, UUID] = {}
    for policy in plan.policies:
        sources[policy.name] = authoring.create_policy(
            reach,
            draft=PolicyDraft(
                name=policy.name,
                scope=Scope(msp.id, Level.GROUP, made.source_group_id),
                applications=tuple(known[name] for name in policy.applications),
                action=Action(policy.action),
                status=Status(policy.status),
                allow_request=policy.action != Action.DENY,
                reason=policy.reason,
                ticket=policy.ticket,
            ),
        ).id
    lifecycle.follow(reach, made.id, places=[lifecycle.Place(by_slug[slug].id) for slug in plan.followers])
    slug, name, reason = plan.exception
    follower = Subscription.objects.within(reach).get(organization=by_slug[slug], baseline=made)
    exempting.make_exception(
        reach,
        follower.id,
        sources[name],
        kind="without",
        reason=reason,
        review_on=(clock.now() + REVIEW_AFTER).date(),
    )
