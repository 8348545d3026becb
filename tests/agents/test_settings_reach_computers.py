"""Agent settings end to end: what is saved is signed, and the Linux agent's own loader and engine obey it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from agents import deploy, install_keys, rollout
from agents.endpoint.bundles import Loaded, load
from agents.endpoint.ruling import _ruling
from agents.endpoint.store import Store, StoredBundle
from agents.models import Blob, Manifest
from policies import authoring, catalogue, settings
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.evaluate import evaluate
from policies.evaluation.deployed import deployed_at
from policies.models import Action, Application, FileRule, Level, Policy, Status
from policies.scopes import Scope
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.endpoint_double import Endpoint

pytestmark = pytest.mark.django_db

SYSTEM = factories.SYSTEM
TOOL = FileFacts(path="/opt/acme/tool", sha256="ab" * 32, os="linux", user="root")


@pytest.fixture
def servers(able_moose: Organization) -> ComputerGroup:
    return factories.group(able_moose, "Servers", os="linux", initial_learning_days=0)


@pytest.fixture
def server(client: Client, servers: ComputerGroup) -> Endpoint:
    """An enrolled Linux computer of that group."""
    key = install_keys.create_install_key(SYSTEM, group_id=servers.id)
    endpoint = Endpoint(client, name="srv-01", os="linux")
    assert endpoint.enroll(key.secret).status == 200
    return endpoint


@pytest.fixture
def quarrel(servers: ComputerGroup) -> tuple[Policy, Policy]:
    """A built-in application permits the tool, a custom one denies it; what the system needs may run."""
    needed = catalogue.create_application(
        SYSTEM, organization_id=servers.organization_id, name="Linux", os="linux", rules=[RuleDraft(path="/usr/*")]
    )
    policy(servers, needed, "grp-linux-permit", Action.PERMIT)
    builtin = Application.objects.within(SYSTEM).create(
        kind="builtin", name="Acme", catalogue_key="acme-for-this-test", os="linux"
    )
    FileRule.objects.within(SYSTEM).create(application=builtin, position=1, path="/opt/acme/*")
    custom = catalogue.create_application(
        SYSTEM,
        organization_id=servers.organization_id,
        name="Tool",
        os="linux",
        rules=[RuleDraft(path="/opt/acme/tool")],
    )
    return policy(servers, builtin, "grp-acme-permit", Action.PERMIT), policy(
        servers, custom, "grp-tool-deny", Action.DENY
    )


def policy(group: ComputerGroup, application: Application, name: str, action: Action) -> Policy:
    status = Status.SECURED if action == Action.DENY else Status.INHERIT
    scope = Scope(group.organization_id, Level.GROUP, group.id)
    draft = PolicyDraft(name=name, scope=scope, applications=(application.id,), action=action, status=status)
    return authoring.create_policy(SYSTEM, draft=draft)


def deployed(endpoint: Endpoint, group: ComputerGroup, folder: Path) -> Loaded:
    """Deploy, let the computer take it, and open it as the Linux agent does."""
    started = deploy.start_deployment(SYSTEM, level="group", target_id=group.id)
    rollout.run_deployment(started.id)
    endpoint.sync()
    assert endpoint.state is not None and endpoint.trust is not None
    row = Manifest.rows.filter(computer_id=endpoint.state.computer).order_by("-version")[0]
    store = Store.open(folder)
    for digest, data in Blob.rows.filter(digest__in=row.layers).values_list("digest", "data"):
        store.save_blob(digest, bytes(data))
    return load(store, StoredBundle(bytes(row.envelope), endpoint.state, endpoint.trust))


def ruled(loaded: Loaded) -> tuple[str, str]:
    decision = loaded.engine.decide(normal_facts(TOOL), loaded.places["secured"], clock.to_ms(clock.now()))
    return decision.effect, decision.policy_name


def at_organization(organization: Organization) -> Scope:
    return Scope(organization.id, Level.ORGANIZATION, organization.id)


def test_flipping_the_order_of_builtins_flips_a_decision_in_the_portal_and_on_the_computer(
    server: Endpoint, servers: ComputerGroup, quarrel: tuple[Policy, Policy], tmp_path: Path
) -> None:
    computer = Computer.objects.within(SYSTEM).select_related("organization", "group").get(name="srv-01")

    def everywhere(folder: str) -> list[tuple[str, str]]:
        saved = evaluate(SYSTEM, facts=TOOL, computer=computer)
        own = ruled(deployed(server, servers, tmp_path / folder))
        bundle = deployed_at()(SYSTEM, computer, clock.now())
        assert bundle is not None and bundle.is_newest
        return [(saved.effect, saved.policy_name), own]

    assert everywhere("unset") == [("permitted", "grp-acme-permit")] * 2
    name = "prioritize_builtin_applications"
    setting = settings.create_setting(SYSTEM, scope=at_organization(servers.organization), name=name, value=False)
    assert everywhere("off") == [("denied", "grp-tool-deny")] * 2
    settings.update_setting(SYSTEM, setting.id, value=True)
    assert everywhere("on") == [("permitted", "grp-acme-permit")] * 2


def test_the_interval_and_the_logging_of_permits_are_in_the_signed_bundle(
    server: Endpoint, servers: ComputerGroup, quarrel: tuple[Policy, Policy], tmp_path: Path
) -> None:
    before = deployed(server, servers, tmp_path / "before")
    assert (before.manifest.settings.checkin_seconds, before.manifest.settings.log_permits) == (60, True)
    scope = Scope(servers.organization_id, Level.GROUP, servers.id)
    settings.create_setting(SYSTEM, scope=scope, name="checkin_seconds", value=20)
    settings.create_setting(SYSTEM, scope=scope, name="log_permits", value=False)
    after = deployed(server, servers, tmp_path / "after")
    assert (after.manifest.settings.checkin_seconds, after.manifest.settings.log_permits) == (20, False)
    at_ms = clock.to_ms(clock.now())
    decision = before.engine.decide(normal_facts(TOOL), before.places["secured"], at_ms)
    assert [_ruling(decision, loaded).is_silent for loaded in (before, after)] == [False, True]
