"""Signing keys for the tests of this app, and computers that are enrolled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client

from agents import bundles, checkin, identity, install_keys, keys
from policies import authoring, catalogue
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.models import Action, Application, Change, Level, Policy
from policies.scopes import Scope
from portal.tenants.models import ComputerGroup, Organization
from tests import factories
from tests.endpoint_double import Endpoint

Enroll = Callable[..., Endpoint]


@pytest.fixture(scope="session", autouse=True)
def signing_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keys of this test run, never those of a portal that happens to live in DATA_DIR."""
    folder = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYS_DIR", str(folder))
        keys.make_missing()
        for cached in (bundles._bundle_key, checkin._key):
            cached.cache_clear()
        yield folder


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    identity.forget()


@pytest.fixture(autouse=True)
def windows_may_run(request: pytest.FixtureRequest) -> None:
    """In these organizations Windows itself is permitted, and that is deployed: the lock-out guard has nothing to
    say."""
    for name in ("able_moose", "brisk_otter"):
        if name in request.fixturenames:
            permit_windows(request.getfixturevalue(name))


def permit_windows(organization: Organization) -> None:
    """Permit what the system itself needs, and count it as deployed."""
    windows = catalogue.create_application(
        factories.SYSTEM,
        organization_id=organization.id,
        name="Windows",
        os="windows",
        rules=[RuleDraft(path=r"c:\windows\*")],
    )
    scope = Scope(organization.id, Level.ORGANIZATION, organization.id)
    draft = PolicyDraft(name="org-windows-permit", scope=scope, applications=(windows.id,))
    authoring.create_policy(factories.SYSTEM, draft=draft)
    Change.objects.within(factories.SYSTEM).filter(organization=organization).update(deployment_id=organization.id)


@pytest.fixture
def finance(able_moose: Organization) -> ComputerGroup:
    return factories.group(able_moose, "Finance", initial_learning_days=0)


@pytest.fixture
def install_key(finance: ComputerGroup) -> str:
    return install_keys.create_install_key(factories.SYSTEM, group_id=finance.id).secret


@pytest.fixture
def enroll(client: Client, finance: ComputerGroup) -> Enroll:
    """`enroll("fin-01")`: a computer of Finance (or of `group=`) that holds its own key."""

    def enroll(name: str = "fin-01", group: ComputerGroup | None = None) -> Endpoint:
        key = install_keys.create_install_key(factories.SYSTEM, group_id=(group or finance).id)
        endpoint = Endpoint(client, name=name)
        assert endpoint.enroll(key.secret).status == 200
        return endpoint

    return enroll


@pytest.fixture
def acme(able_moose: Organization) -> Application:
    """A custom application of Able Moose with one rule."""
    return catalogue.create_application(
        factories.SYSTEM,
        organization_id=able_moose.id,
        name="Acme Tools",
        os="windows",
        rules=[RuleDraft(path=r"c:\acme\*")],
    )


def permit(application: Application, group: ComputerGroup, name: str = "first") -> Policy:
    """Save a permit for the group: a pending change that alters its bundles."""
    draft = PolicyDraft(
        name=f"grp-{group.slug}-{name}",
        scope=Scope(group.organization_id, Level.GROUP, group.id),
        applications=(application.id,),
        action=Action.PERMIT,
    )
    return authoring.create_policy(factories.SYSTEM, draft=draft)
