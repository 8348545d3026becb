"""Builds the demo MSP through the same activities that people use, in the name of its owner."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents import enrolment, install_keys, keys
from agents.protocol import signing
from agents.protocol.acceptance import AgentState
from agents.protocol.messages import EnrollRequest
from agents.simulate import programs
from agents.simulate.fleet_file import Fleet, Member
from policies import authoring, catalogue, modes, queries
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.models import Action, Level, Status
from policies.modes import ModeDraft
from policies.scopes import Scope
from portal.accounts import people, tokens
from portal.accounts.models import Role, User
from portal.accounts.reaches import reach_of_user
from portal.accounts.roles import capabilities_of
from portal.common import clock
from portal.demo import baselines
from portal.demo.history import DAYS as HISTORY_DAYS
from portal.demo.scenario import (
    BASELINE,
    LIVE_COMPUTERS,
    LIVE_GROUP,
    ORGANIZATIONS,
    ApplicationPlan,
    GroupPlan,
    OrganizationPlan,
    PersonPlan,
    PolicyPlan,
)
from portal.tenants.administration import groups as group_administration
from portal.tenants.administration import organizations as organization_administration
from portal.tenants.models import Computer, ComputerGroup, Mode, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching

TOKEN_DAYS = 90
SIMULATED_VERSION = "0.1.0-simulated"


@dataclass(slots=True)
class SignIn:
    """One person of the demo and what they sign in with."""

    user: User
    role: Role
    organization: Organization
    password: str
    api_token: str


@dataclass(slots=True)
class Demo:
    """What was built: for demo.json, the fleet's file, and the history."""

    organizations: list[Organization] = field(default_factory=list)
    people: list[SignIn] = field(default_factory=list)
    fleet: Fleet = field(default_factory=Fleet)
    live_install_key: str = ""
    groups: dict[tuple[str, str], ComputerGroup] = field(default_factory=dict)


def build(founder: User, msp: Organization) -> Demo:
    """Everything but history and deployment. Call it inside a transaction; `founder` owns `msp` already."""
    demo = Demo(organizations=[msp])
    for plan in ORGANIZATIONS[1:]:
        with owners_reach(founder) as reach:
            demo.organizations.append(_organization(reach, plan, msp))
    for plan, organization in zip(ORGANIZATIONS, demo.organizations, strict=True):
        with owners_reach(founder) as reach:
            for group in plan.groups:
                demo.groups[plan.slug, group.name] = _group(reach, organization, group)
                _enroll(reach, demo, organization, group)
            for person in plan.people:
                demo.people.append(_person(reach, person, organization))
    for plan, organization in zip(ORGANIZATIONS, demo.organizations, strict=True):
        with owners_reach(founder) as reach:
            for application in plan.applications:
                _application(reach, organization, application)
            for policy in plan.policies:
                _policy(reach, demo, plan, organization, policy)
    with owners_reach(founder) as reach:
        baselines.make(reach, BASELINE, msp, {organization.slug: organization for organization in demo.organizations})
    with owners_reach(founder) as reach:
        demo.live_install_key = install_keys.create_install_key(
            reach,
            group_id=demo.groups[LIVE_GROUP].id,
            expires_at=clock.now() + timedelta(days=install_keys.MAX_DAYS),
            max_uses=len(LIVE_COMPUTERS) * 4,
        ).secret
    return demo


@contextmanager
def owners_reach(founder: User) -> Iterator[Reach]:
    """The founder's reach as it is now: with what was created a moment ago."""
    with reaching(reach_of_user(founder)) as reach:
        yield reach


def _organization(reach: Reach, plan: OrganizationPlan, msp: Organization) -> Organization:
    return organization_administration.create_organization(
        reach, parent_id=msp.id, name=plan.name, slug=plan.slug, time_zone=plan.time_zone, color=plan.color
    )


def _group(reach: Reach, organization: Organization, plan: GroupPlan) -> ComputerGroup:
    made = group_administration.create_group(
        reach,
        organization_id=organization.id,
        name=plan.name,
        os=plan.os,
        is_global=plan.is_global,
        initial_learning_days=0,
    )
    if plan.learns_days:
        ends_at = clock.now() + timedelta(days=plan.learns_days)
        modes.set_mode(
            reach,
            "group",
            made.id,
            draft=ModeDraft(Mode.LEARNING, ends_at, reason="New tools arrive; learn them before we secure the group."),
        )
    return made


def _person(reach: Reach, plan: PersonPlan, organization: Organization) -> SignIn:
    email = f"{plan.name.split()[0].lower()}@{organization.slug}.example"
    user = User.objects.filter(email=email).first()
    if user is None:
        user = people.invite_person(
            reach,
            organization_id=organization.id,
            email=email,
            name=plan.name,
            role=plan.role,
            may_act_globally=plan.may_act_globally,
        ).user
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    user.set_password(password)
    user.save(update_fields=["password"])
    return SignIn(user, plan.role, organization, password, _token(user, plan, organization))


def _token(user: User, plan: PersonPlan, organization: Organization) -> str:
    with reaching(reach_of_user(user)) as own:
        return tokens.create_token(
            own,
            user=user,
            name="Demo scripts",
            organizations=[organization.id],
            capabilities=capabilities_of(plan.role, may_act_globally=plan.may_act_globally),
            expires_at=clock.now() + timedelta(days=TOKEN_DAYS),
        ).secret


def _enroll(reach: Reach, demo: Demo, organization: Organization, plan: GroupPlan) -> None:
    """Enroll a group's pretend computers with an install key, each with a key of its own, as agents do."""
    if not plan.computers:
        return
    group = demo.groups[organization.slug, plan.name]
    made = install_keys.create_install_key(reach, group_id=group.id, max_uses=len(plan.computers))
    for name in plan.computers:
        demo.fleet.members.append(_member(name, organization, plan, made.secret))
    install_keys.revoke_install_key(reach, made.key.id)
    Computer.objects.within(reach).filter(group=group).update(is_simulated=True)


def _member(name: str, organization: Organization, plan: GroupPlan, secret: str) -> Member:
    private = Ed25519PrivateKey.generate()
    public = signing.public_bytes(private)
    machine_id, nonce = f"demo-{organization.slug}-{name}".lower(), enrolment.new_nonce()
    proof = private.sign(signing.enroll_proof(nonce, machine_id, signing.b64(public)))
    enrolled = enrolment.enroll(
        EnrollRequest(
            install_key=secret,
            hostname=name,
            machine_id=machine_id,
            os=plan.os,  # type: ignore[arg-type]
            agent_version=SIMULATED_VERSION,
            public_key=signing.b64(public),
            nonce=nonce,
            proof=signing.b64(proof),
        ),
        address="127.0.0.1",
    )
    return Member(
        name=name,
        machine_id=machine_id,
        os=plan.os,
        profile=profile_of(name, plan),
        private_key=private.private_bytes_raw(),
        key_id=enrolled.key_id,
        trust=keys.trust_root(),
        state=AgentState(
            organization=enrolled.organization_id,
            computer=enrolled.computer_id,
            key_fingerprint=signing.fingerprint(public),
        ),
    )


def profile_of(name: str, plan: GroupPlan) -> str:
    """What a computer of the group runs; the contractor's laptop runs its CAD tool."""
    return "cad" if "cad" in name else plan.profile


def _application(reach: Reach, organization: Organization, plan: ApplicationPlan) -> None:
    catalogue.create_application(
        reach,
        organization_id=organization.id,
        name=plan.name,
        os=plan.os,
        description=plan.description,
        rules=[
            *(
                RuleDraft(rule.hash, rule.path, rule.process, rule.created_by, rule.certificate, rule.note)
                for rule in plan.rules
            ),
            *(_learned_rules() if plan.learned else ()),
        ],
    )


def _learned_rules() -> list[RuleDraft]:
    """What learning and a patient technician have permitted by hash until two days ago."""
    today = clock.now().toordinal()
    hashes = programs.learned_hashes(today - HISTORY_DAYS, today - 2)
    return [RuleDraft(hash=sha256, note="learned") for sha256 in hashes]


def _policy(reach: Reach, demo: Demo, plan: OrganizationPlan, organization: Organization, policy: PolicyPlan) -> None:
    known = {a.name: a.id for a in queries.applications_for(reach, organization.id)}
    authoring.create_policy(
        reach,
        draft=PolicyDraft(
            name=policy.name,
            scope=_scope(reach, demo, plan, organization, policy.target),
            applications=tuple(known[name] for name in policy.applications),
            action=Action(policy.action),
            status=Status(policy.status),
            enabled=policy.enabled,
            ringfence=policy.ringfence,
            allow_request=policy.action != Action.DENY,
            reason=policy.reason,
            ticket=policy.ticket,
        ),
    )


def _scope(reach: Reach, demo: Demo, plan: OrganizationPlan, organization: Organization, target: str) -> Scope:
    kind, _, name = target.partition(":")
    if kind == "computer":
        return Scope(organization.id, Level.COMPUTER, _computer_id(reach, organization.id, name))
    if not target:
        return Scope(organization.id, Level.ORGANIZATION, organization.id)
    group = demo.groups[plan.slug, target]
    if group.is_global:
        return Scope(organization.id, Level.GLOBAL, group.id, at_group=True)
    return Scope(organization.id, Level.GROUP, group.id)


def _computer_id(reach: Reach, organization_id: UUID, name: str) -> UUID:
    found: UUID = (
        Computer.objects.within(reach).values_list("id", flat=True).get(organization_id=organization_id, name=name)
    )
    return found
