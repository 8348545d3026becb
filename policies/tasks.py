"""Tasks of this app: ids in, one call, safe to repeat and to lose."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from policies.baselines import publishing
from policies.linting import results, sweeping
from policies.notices import sending


@shared_task(name="policies.carry_baseline")
def carry_baseline(*, baseline_id: str) -> None:
    publishing.carry_waiting(UUID(baseline_id))


@shared_task(name="policies.carry_baselines")
def carry_baselines() -> None:
    """Whoever waits still: the wake-up was lost, or its worker was."""
    publishing.carry_waiting()


@shared_task(name="policies.lint", soft_time_limit=120, time_limit=150)
def lint_organization(*, organization_id: str) -> None:
    results.refresh(UUID(organization_id))


@shared_task(name="policies.lint_stale", soft_time_limit=120, time_limit=150)
def lint_stale() -> None:
    sweeping.refresh_stale()


@shared_task(name="policies.send_notices")
def send_notices() -> None:
    sending.send_due()
