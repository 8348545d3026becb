"""Makes the demo once: rows in one transaction, files after it, then the first deployment."""

from __future__ import annotations

import secrets

from django.db import transaction

from agents import deploy
from portal.accounts.models import Membership, Role, User
from portal.demo import files, history, requests
from portal.demo.scenario import NORTHWIND
from portal.demo.setup import Demo, build, owners_reach
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching


def create_demo() -> str:
    """What was done, in one sentence. A portal that has an organization is left as it is."""
    with reaching(system_reach("make the demo")) as system:
        if Organization.objects.within(system).exists():
            return "The demo's files are in place." if files.publish() else "There is data already; it is kept."
    events = _create()
    files.publish()
    return f"Northwind IT and its customers are there, with {events:,} events of three weeks."


@transaction.atomic
def _create() -> int:
    founder, msp = _found_msp()
    demo = build(founder, msp)
    events = _tell_history(founder, demo)
    with owners_reach(founder) as reach:
        requests.ask(reach, demo)
        deploy.start_deployment(reach, level="global", target_id=msp.id, note="First deployment of the demo")
    files.write_drafts(demo)
    return events


def _found_msp() -> tuple[User, Organization]:
    """The root organization and its owner: what the first-run set-up makes in a real install."""
    plan, person = NORTHWIND, NORTHWIND.people[0]
    with reaching(system_reach("make the demo")) as system:
        msp = Organization(slug=plan.slug, name=plan.name, color=plan.color, time_zone=plan.time_zone)
        msp.save(force_insert=True)
        email = f"{person.name.split()[0].lower()}@{plan.slug}.example"
        founder = User.objects.create_user(email=email, password=secrets.token_urlsafe(16), name=person.name)
        Membership.objects.within(system).create(organization=msp, user=founder, role=Role.OWNER)
        journal.record(system, "organization.created", msp, organization_id=msp.id, after={"name": msp.name})
    return founder, msp


def _tell_history(founder: User, demo: Demo) -> int:
    with owners_reach(founder) as reach:
        return sum(history.tell(reach, organization, demo.fleet.members) for organization in demo.organizations)
