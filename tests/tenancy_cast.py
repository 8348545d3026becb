"""One of everything that Able Moose owns, and which of it stands in for each parameter of each address.

Every text that Able Moose chose holds the word `MARKER`; nobody else's does. A route with a parameter that is not in
`PARAMETERS` fails the test that walks the addresses, with a sentence that says what to add.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import get_converters

from agents import deploy, install_keys
from agents.models import ComputerKey, Deployment, InstallKey
from agents.protocol.messages import RequestMessage
from audit import requests, search
from audit.event_rows import EventRow
from audit.models import ApprovalRequest
from audit.search_terms import EventTerms
from policies import authoring, catalogue, modes, settings
from policies.baselines import exempting, lifecycle, reading
from policies.baselines.lifecycle import Place
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.models import (
    Action,
    AgentSetting,
    Application,
    Baseline,
    BaselineException,
    CatalogueUpdate,
    FileRule,
    Level,
    Policy,
    UndoStep,
)
from policies.modes import ModeDraft
from policies.scopes import Scope
from policies.upkeep import certificates
from portal.accounts.models import ApiToken, Role, User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Entry, Mode, Organization
from tests import factories
from tests.audit.sending import event, send
from tests.endpoint_double import Endpoint
from tests.factories import SYSTEM
from tests.portal.api.caller import secret_of

MARKER = "Quillfeather"
UNKNOWN = UUID("01890000-0000-7000-8000-000000000000")


@dataclass(frozen=True, slots=True)
class Cast:
    """Able Moose, its one of everything, and what the MSP shares with all of its customers."""

    organization: Organization
    group: ComputerGroup
    computer: Computer
    computer_key: ComputerKey
    application: Application
    rule: FileRule
    policy: Policy
    setting: AgentSetting
    event: EventRow
    request: ApprovalRequest
    install_key: InstallKey
    deployment: Deployment
    update: CatalogueUpdate
    entry: Entry
    person: User
    token: ApiToken
    step: UndoStep
    baseline: Baseline
    exception: BaselineException
    shared_group: ComputerGroup
    shared_application: Application
    shared_policy: Policy

    def ids(self) -> set[str]:
        """What identifies Able Moose's own objects in an address."""
        own = (
            *(self.group, self.computer, self.computer_key, self.application, self.rule, self.policy, self.setting),
            *(self.baseline, self.exception),
            *(self.request, self.install_key, self.deployment, self.update, self.entry, self.person, self.token),
            self.step,
        )
        return {str(thing.id) for thing in own} | {str(self.organization.id), self.event.id}


# Which object fills a parameter: by "name of the route.parameter", else by the parameter alone.
PARAMETERS: dict[str, Any] = {
    "organization": lambda cast: cast.organization.slug,
    "name": lambda cast: "denied-24-h",  # a card of the dashboard: the same for all
    "group": lambda cast: cast.group.slug,
    "agents:install-key-panel.group": lambda cast: cast.group.id,
    "computer": lambda cast: cast.computer.id,
    "entry": lambda cast: cast.entry.id,
    "person": lambda cast: cast.person.id,
    "token": lambda cast: cast.token.id,
    "application": lambda cast: cast.application.id,
    "policy": lambda cast: cast.policy.id,
    "rule": lambda cast: cast.rule.id,
    "event": lambda cast: cast.event.id,
    "request_id": lambda cast: cast.request.id,
    "deployment": lambda cast: cast.deployment.id,
    "key": lambda cast: cast.computer_key.id,
    "agents:install-key-revoke.key": lambda cast: cast.install_key.id,
    "setting": lambda cast: cast.setting.id,
    "update": lambda cast: cast.update.id,
    "update_id": lambda cast: cast.update.id,
    "api:organization-detail.reference": lambda cast: cast.organization.id,
    "api:group-detail.reference": lambda cast: cast.group.id,
    "api:group-mode.reference": lambda cast: cast.group.id,
    "api:computer-mode.reference": lambda cast: cast.computer.id,
    "baseline": lambda cast: cast.baseline.id,
    "subscription": lambda cast: cast.exception.subscription_id,
    "source": lambda cast: cast.exception.source,
    "exception": lambda cast: cast.exception.id,
    "baseline_id": lambda cast: cast.baseline.id,
    "subscription_id": lambda cast: cast.exception.subscription_id,
    "exception_id": lambda cast: cast.exception.id,
    "computer_id": lambda cast: cast.computer.id,
    "token_id": lambda cast: cast.token.id,
    "user_id": lambda cast: cast.person.id,
    "application_id": lambda cast: cast.application.id,
    "rule_id": lambda cast: cast.rule.id,
    "policy_id": lambda cast: cast.policy.id,
    "setting_id": lambda cast: cast.setting.id,
    "event_id": lambda cast: cast.event.id,
    "key_id": lambda cast: cast.install_key.id,
    "step": lambda cast: cast.step.id,
    "step_id": lambda cast: cast.step.id,
    "deployment_id": lambda cast: cast.deployment.id,
}
# Addresses outside /o/, /all/ and /api/v1/, and why the walk has nothing to ask of them.
ELSEWHERE: dict[str, str] = {
    "healthz": "no tenant", "readyz": "no tenant", "agent/v1/": "signed by a computer: tests/agents",
    "sign-in/": "before anybody is known", "sign-out/": "ends the own session", "account/": "one's own account only",
    "invitation/": "opened by a one-time secret", "<set_up_door:door>/": "before anybody is known",
    "": "home leads to an own organization", "palette/": "searched below", "switcher/": "searched below",
    "health/": "no tenant", "help/": "no tenant",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Route:
    """One address: `pattern` as the URLconf writes it, `name` with its namespace."""

    pattern: str
    name: str
    parameters: tuple[str, ...]

    def kwargs(self, cast: Cast) -> dict[str, str]:
        return {parameter: str(self._filler(parameter)(cast)) for parameter in self.parameters}

    def path(self, cast: Cast, **changed: str) -> str:
        return reverse(self.name, kwargs={**self.kwargs(cast), **changed})

    def missing_parameters(self) -> list[str]:
        return [p for p in self.parameters if f"{self.name}.{p}" not in PARAMETERS and p not in PARAMETERS]

    @property
    def objects(self) -> tuple[str, ...]:
        """Parameters that name an object of a tenant, beside the organization itself."""
        return tuple(p for p in self.parameters if p not in ("organization", "name"))

    def nowhere(self, cast: Cast, **changed: str) -> str:
        """The same address with objects that nobody has."""
        unknown = {p: "never-was" if p in ("organization", "group") else str(UNKNOWN) for p in self.parameters}
        if self.name == "agents:install-key-panel":
            unknown["group"] = str(UNKNOWN)
        if "event" in unknown:
            unknown["event"] = "AAAAAAAAAAAA-1"
        if "name" in unknown:
            unknown["name"] = "denied-24-h"
        return reverse(self.name, kwargs={**unknown, **changed})

    def _filler(self, parameter: str) -> Any:
        return PARAMETERS.get(f"{self.name}.{parameter}") or PARAMETERS[parameter]


def routes() -> list[Route]:
    """Every address of the portal, walked from the URLconf itself."""
    assert "uuid" in get_converters()
    return list(_walk(get_resolver(), "", ""))


def _walk(resolver: URLResolver, prefix: str, namespace: str) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            known = tuple(_parameters_of(pattern))
            yield Route(pattern, f"{namespace}{entry.name}", known)
        else:
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry, pattern, inner)


def _parameters_of(pattern: str) -> Iterator[str]:
    for part in pattern.split("<")[1:]:
        yield part.split(">")[0].rpartition(":")[2]


def under(*prefixes: str) -> list[Route]:
    """The named addresses beneath the prefixes; the API's answer to unknown addresses is none of them."""
    return [r for r in routes() if r.pattern.startswith(prefixes) and not r.name.endswith(":unknown-address")]


def gather(able_moose: Organization, northwind: Organization) -> Cast:
    """Make the cast through the activities that people and agents use."""
    Organization.rows.filter(id=able_moose.id).update(name=f"Able Moose {MARKER}")
    able_moose.refresh_from_db()
    group = factories.group(able_moose, f"Finance {MARKER}", initial_learning_days=0)
    shared_group = factories.group(northwind, "All Windows", is_global=True)
    install_key = install_keys.create_install_key(SYSTEM, group_id=group.id)
    agent = Endpoint(name=f"{MARKER}-01")
    assert agent.enroll(install_key.secret).status == 200
    computer = Computer.rows.get(id=agent.known.computer)
    application = an_application(able_moose, f"{MARKER} Tools")
    policy = a_policy(f"grp-{MARKER}-permit", Scope(able_moose.id, Level.GROUP, group.id), application)
    shared_application = an_application(northwind, "Everybody's Tools")
    at_all = Scope(northwind.id, Level.GLOBAL, shared_group.id, at_group=True)
    shared_policy = a_policy("glb-tools-permit", at_all, shared_application)
    own_use = Scope(able_moose.id, Level.COMPUTER, computer.id)
    a_policy(f"cmp-{MARKER}-shared", own_use, shared_application)
    setting = settings.create_setting(SYSTEM, scope=own_use, name="prioritize_builtin_applications", value=False)
    for level, target in (("computer", computer), ("group", group)):
        draft = ModeDraft(Mode.LEARNING, clock.now() + timedelta(hours=1), reason=MARKER)
        modes.set_mode(SYSTEM, level, target.id, draft=draft)
    send(computer, event(1, path=rf"C:\{MARKER}\a.ps1", user=MARKER, command_line=MARKER))
    exception = an_exception(able_moose, application)
    asked = RequestMessage(path=rf"C:\{MARKER}\a.ps1", user=MARKER, reason=MARKER)
    person = factories.person(f"Petra {MARKER}", Role.TECHNICIAN, able_moose)
    secret_of(person)
    return Cast(
        organization=able_moose,
        group=group,
        computer=computer,
        computer_key=ComputerKey.rows.get(computer=computer),
        application=application,
        rule=FileRule.rows.get(application=application),
        policy=policy,
        setting=setting,
        event=search.events(SYSTEM, EventTerms()).rows[0],
        request=requests.receive_request(SYSTEM, computer=computer, message=asked),
        install_key=install_key.key,
        deployment=deploy.start_deployment(SYSTEM, level="group", target_id=group.id, note=MARKER),
        entry=Entry.rows.filter(organization_id=able_moose.id).latest("at"),
        person=person,
        token=ApiToken.rows.get(user=person),
        step=a_step(able_moose),
        baseline=exception.subscription.baseline,
        exception=exception,
        shared_group=shared_group,
        update=CatalogueUpdate.objects.within(SYSTEM).create(
            organization=able_moose,
            source="feed",
            key_id=MARKER,
            sha256="0" * 64,
            entries=b"[]",
            created_at=clock.now(),
        ),
        shared_application=shared_application,
        shared_policy=shared_policy,
    )


def an_application(of: Organization, name: str) -> Application:
    rules = [RuleDraft(path=rf"c:\{name.lower()}\*")]
    return catalogue.create_application(SYSTEM, organization_id=of.id, name=name, os="windows", rules=rules)


def a_policy(name: str, scope: Scope, application: Application) -> Policy:
    draft = PolicyDraft(name=name, scope=scope, applications=(application.id,), action=Action.PERMIT)
    return authoring.create_policy(SYSTEM, draft=draft)


def an_exception(of: Organization, application: Application) -> BaselineException:
    """A baseline of the organization's own that it follows, but for one policy."""
    made = lifecycle.create_baseline(SYSTEM, organization_id=of.id, name=f"{MARKER} baseline", os="windows")
    source = a_policy(f"org-{MARKER}-permit", Scope(of.id, Level.GROUP, made.source_group_id), application)
    carried = lifecycle.follow(SYSTEM, made.id, places=[Place(of.id)])
    day = reading.today() + timedelta(days=30)
    at = carried.done[0][0].id
    return exempting.make_exception(SYSTEM, at, source.id, kind="without", reason=MARKER, review_on=day)


def a_step(of: Organization) -> UndoStep:
    """Something that can be undone."""
    rules = [RuleDraft(path=rf"c:\{MARKER.lower()}\*", certificate="CN=Old")]
    catalogue.create_application(SYSTEM, organization_id=of.id, name=f"{MARKER} signed", os="windows", rules=rules)
    return certificates.replace_certificate(SYSTEM, of.id, old="CN=Old", new=f"CN={MARKER}", how="beside")
