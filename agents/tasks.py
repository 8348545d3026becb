"""Tasks of this app: ids in, one call, safe to repeat and to lose."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from agents import enrolment, rollout
from agents import sweep as sweeping
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching


@shared_task(name="agents.run_deployment")
def run_deployment(*, deployment_id: str) -> None:
    rollout.run_deployment(UUID(deployment_id))


@shared_task(name="agents.build_owed_bundles")
def build_owed_bundles(*, organization_id: str) -> None:
    rollout.build_owed_bundles(UUID(organization_id))


@shared_task(name="agents.close_deployment")
def close_deployment(*, deployment_id: str) -> None:
    rollout.close_deployment(UUID(deployment_id))


@shared_task(name="agents.sweep")
def sweep() -> None:
    sweeping.sweep()


@shared_task(name="agents.note_refused_enrolment")
def note_refused_enrolment(*, reference: str, reason: str, hostname: str, address: str) -> None:
    with reaching(system_reach("enrolment")) as system:
        enrolment.note_refused_enrolment(system, reference=reference, reason=reason, hostname=hostname, address=address)
