"""Able Moose in the demo is the structure of the seed about policy design, and decides as its text says."""

from __future__ import annotations

from itertools import permutations

import pytest

from agents.simulate.programs import MICROSOFT
from policies import authoring, catalogue, evaluate, placing
from policies.builtin.loader import load_catalogue
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.engine.decision import Decision
from policies.engine.facts import FileFacts
from policies.engine.ordering import DEFAULT, FIRST_BUILTIN, FIRST_CUSTOM
from policies.models import Level, Policy
from policies.scopes import Scope
from portal.accounts.models import Membership, Role, User
from portal.demo.scenario import ABLE_MOOSE
from portal.demo.setup import build
from portal.tenants.models import Computer, ComputerGroup, Organization
from tests import factories
from tests.agents.conftest import signing_keys  # noqa: F401 (a fixture)

SYSTEM = factories.SYSTEM
OFFICE = r"c:\program files\microsoft office\root\office16\winword.exe"
DOCKER = r"c:\program files\docker\docker\docker desktop.exe"
QUICKBOOKS = r"c:\program files (x86)\intuit\quickbooks 2026\qbw.exe"
INTUIT = "CN=Intuit Inc., O=Intuit Inc., L=Mountain View, S=California, C=US"
pytestmark = pytest.mark.usefixtures("world", "signing_keys")


@pytest.fixture
def moose(northwind: Organization) -> Organization:
    """The demo's Able Moose beside the tests' own, from the same plan and the same activities."""
    Organization.objects.within(SYSTEM).filter(slug__in=("able-moose", "brisk-otter")).update(slug="elsewhere")
    load_catalogue(SYSTEM)
    founder = User.objects.create_user(email="olive@northwind-it.example", password="x" * 20, name="Olive Owner")
    Membership.objects.within(SYSTEM).create(organization=northwind, user=founder, role=Role.OWNER)
    build(founder, northwind)
    return Organization.objects.within(SYSTEM).get(slug="able-moose")


def computer(name: str) -> Computer:
    found: Computer = Computer.objects.within(SYSTEM).select_related("organization", "group").get(name=name)
    return found


def decided(name: str, path: str, **facts: str | tuple[str, ...]) -> Decision:
    return evaluate.evaluate(SYSTEM, facts=FileFacts(path=path, **facts), computer=computer(name))  # type: ignore[arg-type]


def test_the_structure_has_the_names_and_numbers_of_the_seed(moose: Organization) -> None:
    own = Policy.objects.within(SYSTEM).filter(organization=moose)
    assert Computer.objects.within(SYSTEM).filter(organization=moose).count() == 120
    groups = ComputerGroup.objects.within(SYSTEM).filter(organization=moose, os="windows")
    assert set(groups.values_list("name", flat=True)) == {"Finance", "Sales", "Engineering", "Servers"}
    assert {p.name for p in ABLE_MOOSE.policies} <= set(own.values_list("name", flat=True))
    for name in (
        "org-office-permit-baseline",
        "grp-finance-quickbooks-permit-ringfenced",
        "grp-engineering-docker-permit-elevated",
        "cmp-able-cad-01-acme-cad-permit",
    ):
        assert own.filter(name=name).exists()
    builtin = sorted(own.filter(kind="builtin", is_default=False).values_list("order", flat=True))
    custom = sorted(own.filter(kind="custom", is_default=False).values_list("order", flat=True))
    assert builtin == [FIRST_BUILTIN + 100 * n for n in range(len(builtin))]
    assert custom == [FIRST_CUSTOM + 100 * n for n in range(len(custom))]
    defaults = own.filter(is_default=True)
    assert {(p.name, p.order) for p in defaults} >= {(f"Default - ({g.name})", DEFAULT) for g in groups}


DECIDED = (
    ("FIN-LT-07", OFFICE, MICROSOFT, "permitted", "org-office-permit-baseline"),
    ("SRV-APP-01", OFFICE, MICROSOFT, "denied", "grp-servers-end-user-apps-deny"),
    ("ENG-WS-01", DOCKER, "", "permitted", "grp-engineering-docker-permit-elevated"),
    ("FIN-LT-07", DOCKER, "", "denied", "Default - (Finance)"),
    ("able-cad-01", r"c:\cad\acme cad\acad.exe", "", "permitted", "cmp-able-cad-01-acme-cad-permit"),
    ("SAL-LT-01", r"c:\users\bob\appdata\local\temp\xmr-stak.exe", "", "denied", "glb-known-bad-deny-baseline"),
    ("FIN-LT-01", QUICKBOOKS, INTUIT, "ringfenced", "grp-finance-quickbooks-permit-ringfenced"),
    ("SAL-LT-01", QUICKBOOKS, INTUIT, "denied", "Default - (Sales)"),
)


def test_each_scope_decides_where_the_seed_says(moose: Organization) -> None:
    """Engineering learns: a permit is a permit there, whatever the mode."""
    for name, path, certificate, effect, policy in DECIDED:
        decision = decided(name, path, certificates=(certificate,) if certificate else ())
        assert (decision.effect, decision.policy_name) == (effect, policy), (name, path)


def test_a_narrow_scope_beats_a_wide_one_by_its_order_only(moose: Organization) -> None:
    """Three policies on one file, at the computer, its group and its organization, in every order."""
    cad = computer("able-cad-01")
    tool = catalogue.create_application(
        SYSTEM, organization_id=moose.id, name="Tool", os="windows", rules=[RuleDraft(path=r"c:\tool\*")]
    )
    scopes = {
        "cmp": Scope(moose.id, Level.COMPUTER, cad.id),
        "grp": Scope(moose.id, Level.GROUP, cad.group_id),
        "org": Scope(moose.id, Level.ORGANIZATION, moose.id),
    }
    made = {
        prefix: authoring.create_policy(
            SYSTEM, draft=PolicyDraft(name=f"{prefix}-tool", scope=scope, applications=(tool.id,))
        )
        for prefix, scope in scopes.items()
    }
    for order in permutations(scopes):
        for prefix in reversed(order):
            authoring.move_policy(SYSTEM, made[prefix].id, place=placing.TOP)
        assert decided("able-cad-01", r"c:\tool\a.exe").policy_name == f"{order[0]}-tool"
