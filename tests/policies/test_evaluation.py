"""Smallest change and who else: each is what the engine says once it is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policies import authoring, catalogue, placing, settings
from policies.catalogue import RuleDraft
from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.evaluate import evaluate, judged
from policies.evaluation.smallest import Change, smallest_changes
from policies.evaluation.who_else import who_else
from policies.models import Action, Application, FileRule, Status
from policies.scopes import Scope
from portal.accounts.models import Role, User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Mode, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally

pytestmark = pytest.mark.django_db

TOOL = FileFacts(
    path=r"C:\Program Files\Acme Tools\tool.exe",
    sha256="ab" * 32,
    certificates=("CN=Acme Ltd",),
    created_by=r"C:\Program Files\Acme\setup.exe",
    process=r"C:\Windows\explorer.exe",
    user="ABLE\\jdoe",
)


def changes(reach: Reach, computer: Computer, facts: FileFacts = TOOL) -> list[Change]:
    return list(smallest_changes(judged(reach, facts=facts, computer=computer)))


def codes(found: list[Change]) -> list[str]:
    return [change.code for change in found]


def at_computer(computer: Computer) -> Scope:
    return Scope(computer.organization_id, "computer", computer.id)  # type: ignore[arg-type]


def test_what_is_permitted_needs_no_change(
    reach: Reach, finance: ComputerGroup, fin_01: Computer, acme: Application
) -> None:
    a_policy(reach, at_group(finance), acme)
    assert changes(reach, fin_01) == []


def test_a_disabled_policy_that_matches_is_armed(
    reach: Reach, finance: ComputerGroup, fin_01: Computer, acme: Application
) -> None:
    policy = a_policy(reach, at_group(finance), acme, enabled=False, name="grp-acme")
    armed = next(change for change in changes(reach, fin_01) if change.code == "arm")
    assert (armed.policy, armed.level, armed.decision.effect) == (str(policy.id), "group", "permitted")
    authoring.set_enabled(reach, policy.id, enabled=True)
    assert evaluate(reach, facts=TOOL, computer=fin_01).effect == "permitted"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expires_at": timedelta(minutes=5)}, "extend"),
        ({"starts_at": timedelta(days=9)}, "start"),
        ({"users": ("ABLE\\other",)}, "add_user"),
    ],
)
def test_a_policy_that_does_not_count_now_is_made_to(
    reach: Reach, finance: ComputerGroup, fin_01: Computer, acme: Application, fields: dict[str, object], code: str
) -> None:
    now = clock.now()  # not when the tests were collected: the whole run may take longer than five minutes
    a_policy(
        reach,
        at_group(finance),
        acme,
        **{name: now + value if isinstance(value, timedelta) else value for name, value in fields.items()},
    )
    later = now + timedelta(hours=1)
    found = smallest_changes(judged(reach, facts=TOOL, computer=fin_01, at=later))
    assert code in [change.code for change in found]


def test_the_one_condition_that_failed_becomes_a_rule(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    rule = RuleDraft(certificate="CN=Acme Ltd", created_by=r"c:\rmm\agent.exe")
    rmm = an_application(reach, able_moose, "Acme RMM", rules=[rule])
    a_policy(reach, at_group(finance), rmm)
    fitted = next(change for change in changes(reach, fin_01) if change.code == "add_rule")
    assert fitted.application == str(rmm.id)
    assert fitted.rule == RuleDraft(certificate="CN=Acme Ltd", created_by=r"c:\program files\acme\setup.exe")
    catalogue.add_file_rule(reach, rmm.id, rule=fitted.rule)
    assert evaluate(reach, facts=TOOL, computer=fin_01).effect == "permitted"


def test_a_fact_that_is_not_known_is_not_made_into_a_rule(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    rule = RuleDraft(certificate="CN=Acme Ltd", created_by=r"c:\rmm\agent.exe")
    a_policy(reach, at_group(finance), an_application(reach, able_moose, "Acme RMM", rules=[rule]))
    assert "add_rule" not in codes(changes(reach, fin_01, replace(TOOL, created_by="")))


def test_a_new_permit_is_offered_by_what_is_exact_and_by_what_lasts_at_this_computer(
    reach: Reach, fin_01: Computer
) -> None:
    found = changes(reach, fin_01)
    assert [(c.code, c.level, bool(c.rule and c.rule.hash)) for c in found] == [
        ("create_permit", "computer", True),
        ("create_permit", "computer", False),
    ]
    lasting = found[1].rule
    assert lasting == RuleDraft(certificate="CN=Acme Ltd", path=r"C:\Program Files\Acme Tools\tool.exe")
    made = an_application(reach, fin_01.organization, "New", rules=[lasting])
    a_policy(reach, at_computer(fin_01), made)
    assert evaluate(reach, facts=TOOL, computer=fin_01).effect == "permitted"


def test_a_permit_after_a_deny_is_moved_before_it(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer, acme: Application
) -> None:
    deny = a_policy(reach, at_organization(able_moose), acme, action=Action.DENY, status=Status.SECURED)
    permit = a_policy(reach, at_group(finance), acme)
    found = changes(reach, fin_01)
    moved = next(change for change in found if change.code == "move")
    assert (moved.policy, moved.before) == (str(permit.id), str(deny.id))
    assert codes(found)[-1] in ("move", "disable")
    assert all(change.before == str(deny.id) for change in found if change.code == "create_permit")
    authoring.move_policy(reach, permit.id, place=placing.before(deny.id))
    assert evaluate(reach, facts=TOOL, computer=fin_01).effect == "permitted"


def test_the_other_order_of_builtins_is_offered_where_it_helps(
    owner_reach: Reach, able_moose: Organization, finance: ComputerGroup, fin_01: Computer
) -> None:
    with reaching(factories.SYSTEM) as system:
        builtin = Application.objects.within(system).create(
            kind="builtin", name="Acme", catalogue_key="acme", os="windows"
        )
        FileRule.objects.within(system).create(application=builtin, position=1, certificate="CN=Acme Ltd")
        a_policy(system, at_organization(able_moose), builtin, action=Action.DENY, status=Status.SECURED)
    acme = an_application(owner_reach, able_moose, "Acme Tools")
    a_policy(owner_reach, at_group(finance), acme)
    found = next(change for change in changes(owner_reach, fin_01) if change.code == "prioritize")
    assert found.level == "computer"
    settings.create_setting(owner_reach, scope=at_computer(fin_01), name="prioritize_builtin_applications", value=False)
    assert evaluate(owner_reach, facts=TOOL, computer=fin_01).effect == "permitted"


def test_changes_are_offered_to_a_learning_computer_too(reach: Reach, fin_01: Computer) -> None:
    Computer.objects.within(reach).filter(id=fin_01.id).update(
        mode=Mode.LEARNING, mode_ends_at=clock.now() + timedelta(days=1)
    )
    fin_01.refresh_from_db()
    assert evaluate(reach, facts=TOOL, computer=fin_01).simulated
    assert "create_permit" in codes(changes(reach, fin_01))


# --- who else ---------------------------------------------------------------------------------------------------------


def everyone(reach: Reach, **fields: object) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    found = who_else(reach, facts=normal_facts(TOOL), os="windows", at_ms=clock.to_ms(clock.now()), **fields)  # type: ignore[arg-type]
    return {
        (of.organization.slug, group.name): (
            group.tally.permitted, group.tally.ringfenced, group.tally.denied, group.tally.would_deny,
        )
        for of in found.organizations
        for group in of.groups.values()
    }  # fmt: skip


@pytest.fixture
def fleet(
    able_moose: Organization, brisk_otter: Organization, finance: ComputerGroup, fin_01: Computer
) -> list[Computer]:
    """Three more in Finance, two in Sales of which one learns, two at the dentist's, one Mac."""
    sales, surgery = factories.group(able_moose, "Sales"), factories.group(brisk_otter, "Surgery")
    macs = factories.group(able_moose, "Macs", os="macos")
    learning = {"mode": Mode.LEARNING, "mode_ends_at": clock.now() + timedelta(days=1)}
    return [
        *(factories.computer(finance, f"fin-{number}") for number in (2, 3, 4)),
        factories.computer(sales, "sal-1"),
        factories.computer(sales, "sal-2", **learning),
        *(factories.computer(surgery, f"sur-{number}") for number in (1, 2)),
        factories.computer(macs, "mac-1"),
    ]


def test_who_else_counts_computers_by_group(
    fleet: list[Computer], owner_reach: Reach, able_moose: Organization, finance: ComputerGroup
) -> None:
    acme = an_application(owner_reach, able_moose, "Acme Tools")
    a_policy(owner_reach, at_group(finance), acme)
    top = {"action": Action.DENY, "status": Status.SECURED, "place": placing.TOP}
    a_policy(owner_reach, at_computer(fleet[0]), acme, **top)
    assert everyone(owner_reach) == {
        ("able-moose-accounting", "Finance"): (3, 0, 1, 0),
        ("able-moose-accounting", "Sales"): (0, 0, 1, 1),
        ("brisk-otter-dental", "Surgery"): (0, 0, 2, 0),
    }
    assert set(everyone(owner_reach, only=able_moose.id)) == {
        ("able-moose-accounting", "Finance"), ("able-moose-accounting", "Sales")
    }  # fmt: skip


def test_who_else_follows_global_policies(
    fleet: list[Computer], owner_reach: Reach, northwind: Organization, all_windows: ComputerGroup
) -> None:
    tools = an_application(owner_reach, northwind, "Acme Tools")
    a_policy(owner_reach, globally(owner_reach, all_windows), tools)
    assert all(denied == 0 for _, _, denied, _ in everyone(owner_reach).values())


def test_who_else_knows_nothing_of_organizations_out_of_reach(fleet: list[Computer], reach: Reach) -> None:
    assert {slug for slug, _ in everyone(reach)} == {"able-moose-accounting"}


def test_who_else_leaves_out_organizations_whose_policies_may_not_be_read(
    fleet: list[Computer], able_moose: Organization, brisk_otter: Organization
) -> None:
    person: User = factories.person("Nora Nobody", Role.CUSTOMER_READER, brisk_otter)
    with reaching(factories.reach(person)) as mine:
        assert {slug for slug, _ in everyone(mine)} <= {"brisk-otter-dental"}


def test_who_else_agrees_with_evaluate_at_every_computer(
    fleet: list[Computer],
    owner_reach: Reach,
    able_moose: Organization,
    finance: ComputerGroup,
    all_windows: ComputerGroup,
) -> None:
    acme = an_application(owner_reach, able_moose, "Acme Tools")
    a_policy(owner_reach, at_group(finance), acme, action=Action.DENY)
    a_policy(owner_reach, at_organization(able_moose), acme)
    a_policy(owner_reach, at_computer(fleet[1]), acme, enabled=False)
    settings.create_setting(
        owner_reach, scope=at_computer(fleet[2]), name="prioritize_builtin_applications", value=False
    )
    told: dict[tuple[str, str], list[int]] = {}
    for computer in Computer.objects.within(owner_reach).filter(os="windows").select_related("group", "organization"):
        decision = evaluate(owner_reach, facts=TOOL, computer=computer)
        row = told.setdefault((computer.organization.slug, computer.group.name), [0, 0, 0, 0])
        row[2 if decision.effect == "denied" else 3 if decision.action == "deny" else 0] += 1
    assert {place: tuple(row) for place, row in told.items()} == everyone(owner_reach)


def test_who_else_reads_no_more_for_more_computers(
    fleet: list[Computer], owner_reach: Reach, finance: ComputerGroup, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        factories.computer(finance, f"more-{number}")
    with django_assert_max_num_queries(40):  # type: ignore[operator]
        found = who_else(owner_reach, facts=normal_facts(TOOL), os="windows", at_ms=clock.to_ms(clock.now()))
    assert (found.total.computers, found.places) == (38, 4)
