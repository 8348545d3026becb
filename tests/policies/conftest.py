"""Able Moose has a Finance group with one computer, and the MSP a global group of all Windows computers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policies import authoring, catalogue, placing
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.models import Action, Application, Level, Policy
from policies.scopes import Scope, find_scope
from portal.accounts.models import User
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories


@pytest.fixture
def finance(able_moose: Organization) -> ComputerGroup:
    return factories.group(able_moose, "Finance")


@pytest.fixture
def fin_01(finance: ComputerGroup) -> Computer:
    return factories.computer(finance, "fin-01")


@pytest.fixture
def all_windows(northwind: Organization) -> ComputerGroup:
    return factories.group(northwind, "All Windows", is_global=True)


@pytest.fixture
def everybody(
    owner: User,
    technician: User,
    customer_admin: User,
    reader: User,
    stranger: User,
    fin_01: Computer,
    all_windows: ComputerGroup,
) -> None:
    """The whole cast, made before anybody's reach is opened."""


@pytest.fixture
def reach(technician: User, everybody: None) -> Iterator[Reach]:
    """The technician's reach, opened: both walls stand."""
    mine = factories.reach(technician)
    with reaching(mine):
        yield mine


@pytest.fixture
def owner_reach(owner: User, everybody: None) -> Iterator[Reach]:
    mine = factories.reach(owner)
    with reaching(mine):
        yield mine


@pytest.fixture
def acme(reach: Reach, able_moose: Organization) -> Application:
    """A custom application with one rule."""
    return an_application(reach, able_moose, "Acme Tools")


def an_application(reach: Reach, of: Organization, name: str, **fields: Any) -> Application:
    rules = fields.pop("rules", [RuleDraft(path=rf"c:\program files\{name.lower()}\*")])
    return catalogue.create_application(
        reach, organization_id=of.id, name=name, os=fields.pop("os", "windows"), rules=rules, **fields
    )


def at_group(group: ComputerGroup) -> Scope:
    return Scope(group.organization_id, Level.GROUP, group.id)


def at_organization(organization: Organization) -> Scope:
    return Scope(organization.id, Level.ORGANIZATION, organization.id)


def globally(reach: Reach, target: Organization | ComputerGroup) -> Scope:
    return find_scope(reach, "global", target.id).scope


def a_policy(reach: Reach, scope: Scope, *applications: Application, **fields: Any) -> Policy:
    place = fields.pop("place", placing.BOTTOM)
    draft = PolicyDraft(
        **{
            "name": f"{scope.level}-{applications[0].name}-permit",
            "scope": scope,
            "applications": tuple(a.id for a in applications),
            "action": Action.PERMIT,
            **fields,
        }
    )
    return authoring.create_policy(reach, draft=draft, place=place)


def orders(*policies: Policy) -> list[int]:
    return [Policy.rows.get(id=policy.id).order for policy in policies]
