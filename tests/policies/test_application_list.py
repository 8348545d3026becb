"""The list of applications: filters, order, what stands beside a name, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from policies.application_list import MANY_HASHES, ApplicationTerms, applications_listed, facets
from policies.application_names import shown_name
from policies.application_rows import application_rows
from policies.catalogue import RuleDraft
from policies.linting import reading as lint_reading
from policies.linting import results as lint_results
from policies.models import Application, FileRule, MatchCount
from policies.rule_lists import add_file_rules
from portal.accounts.models import User
from portal.common import clock
from portal.common.paging import keyset
from portal.common.uuid7 import uuid7
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally

SYSTEM = factories.SYSTEM
MOOSE = "/o/able-moose-accounting"
HASH = "ab" * 32


@pytest.fixture
def tom(technician: User, fin_01: Computer, as_user: Callable[[User], Client]) -> Client:
    return as_user(technician)


def named(reach: Reach, organization: Organization | None, **terms: Any) -> list[str]:
    return [one.name for one in applications_listed(reach, organization, ApplicationTerms(**terms))]


@pytest.fixture
def edge(northwind: Organization) -> Application:
    """A built-in application; made before anybody's reach is opened."""
    return Application.rows.create(kind="builtin", name="Edge", catalogue_key="edge", os="windows", category="browser")


def matched(of: Organization, application: Application, count: int, days_ago: int = 0) -> None:
    at = clock.now() - timedelta(days=days_ago)
    MatchCount.rows.create(
        organization=of, day=at.date(), policy=uuid7(), application=application.id, count=count, last_at=at
    )


def aged(application: Application, days: int) -> None:
    Application.rows.filter(id=application.id).update(created_at=clock.now() - timedelta(days=days))


def test_origin_system_category_and_words_narrow_the_list(
    edge: Application, owner_reach: Reach, northwind: Organization, able_moose: Organization
) -> None:
    an_application(owner_reach, able_moose, "Acme", publisher="Acme Ltd", category="office")
    an_application(owner_reach, able_moose, "Scanner", os="linux", rules=[RuleDraft(path="/opt/scanner/*")])
    an_application(owner_reach, northwind, "Miners", rules=[RuleDraft(hash=HASH), RuleDraft(certificate="CN=Bad Coin")])
    assert named(owner_reach, able_moose) == ["Acme", "Edge", "Miners", "Scanner"]
    assert named(owner_reach, able_moose, origin="own") == ["Acme", "Scanner"]
    assert named(owner_reach, able_moose, origin="above") == ["Miners"]
    assert named(owner_reach, able_moose, origin="builtin") == ["Edge"]
    assert named(owner_reach, able_moose, os="linux") == ["Scanner"]
    assert named(owner_reach, able_moose, category="browser") == ["Edge"]
    for words, found in (("ltd", "Acme"), ("opt/scan", "Scanner"), ("bad coin", "Miners"), (HASH[:12], "Miners")):
        assert named(owner_reach, able_moose, q=words) == [found], words
    assert named(owner_reach, able_moose, q="nothing") == []


def test_what_is_worth_tidying_is_found(
    reach: Reach, able_moose: Organization, finance: ComputerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = an_application(reach, able_moose, "Full", rules=[])
    add_file_rules(reach, full.id, rules=[RuleDraft(hash=f"{n:064x}") for n in range(MANY_HASHES + 1)])
    twin = an_application(reach, able_moose, "Twin", rules=[RuleDraft(hash=f"{7:064x}"), RuleDraft(path=r"c:\twin\*")])
    used = an_application(reach, able_moose, "Used")
    hidden = an_application(reach, able_moose, "Hidden")
    Application.rows.filter(id=hidden.id).update(hidden=True)
    a_policy(reach, at_group(finance), used)
    for one in (full, twin, used):
        aged(one, 60)
    matched(able_moose, used, 3, days_ago=2)
    matched(able_moose, twin, 3, days_ago=50)
    assert named(reach, able_moose, many_hashes=True) == ["Full"]
    assert named(reach, able_moose, hash_only=True) == ["Full"]
    assert named(reach, able_moose, shares_hashes=True) == ["Full", "Twin"]
    assert named(reach, able_moose, no_policy=True) == ["Full", "Twin"]
    assert named(reach, able_moose, unused=True) == ["Full", "Twin"]
    assert named(reach, able_moose, include_hidden=True) == ["Full", "Hidden", "Twin", "Used"]
    assert named(reach, able_moose, mine=True) == ["Full", "Twin", "Used"]
    Application.rows.filter(id=twin.id).update(created_by="Somebody", changed_by="Somebody")
    assert named(reach, able_moose, mine=True) == ["Full", "Used"]


def test_the_list_is_sorted_by_what_is_counted_and_pages_go_on_where_they_stopped(
    reach: Reach, able_moose: Organization, finance: ComputerGroup
) -> None:
    made = {name: an_application(reach, able_moose, name) for name in "ABCDE"}
    for count, name in enumerate("CADB"):
        matched(able_moose, made[name], count + 1, days_ago=count)
    matched(able_moose, made["E"], 99, days_ago=31)
    a_policy(reach, at_group(finance), made["B"])
    for terms, order in (
        (ApplicationTerms(sort="-matches"), "BDACE"), (ApplicationTerms(sort="-last_match"), "CADBE"),
        (ApplicationTerms(sort="-policies"), "B"), (ApplicationTerms(sort="-name"), "EDCBA"),
    ):  # fmt: skip
        found, after, first = [], "", True
        while after or first:
            page = keyset(applications_listed(reach, able_moose, terms), order=terms.order, after=after, size=2)
            found += [one.name for one in page.rows]
            after, first = page.next, False
        assert "".join(found).startswith(order), terms
        assert sorted(found) == list("ABCDE")


def test_facets_count_what_the_other_choices_leave(
    owner_reach: Reach, northwind: Organization, able_moose: Organization
) -> None:
    an_application(owner_reach, able_moose, "Acme")
    an_application(owner_reach, able_moose, "Scanner", os="linux", rules=[])
    an_application(owner_reach, northwind, "Miners")
    shown = {facet.name: facet for facet in facets(owner_reach, able_moose, ApplicationTerms(os="windows"))}
    assert [(one.value, one.number) for one in shown["origin"].choices] == [("own", 1), ("above", 1)]
    assert [(one.value, one.number, one.is_on) for one in shown["os"].choices] == [
        ("windows", 2, True),
        ("linux", 1, False),
    ]


def test_a_line_tells_rules_by_kind_the_weakest_rule_use_by_scope_and_matches(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, brisk_otter: Organization,
    finance: ComputerGroup,
) -> None:  # fmt: skip
    miners = an_application(
        owner_reach, northwind, "Miners",
        rules=[
            RuleDraft(hash=HASH), RuleDraft(hash="cd" * 32, path=r"c:\x\*"), RuleDraft(process=r"c:\agent.exe"),
            RuleDraft(certificate="CN=Bad", path=r"c:\y\*"), RuleDraft(path=r"c:\program files\z\*"),
        ],
    )  # fmt: skip
    a_policy(owner_reach, globally(owner_reach, northwind), miners, name="glb", action="deny")
    a_policy(owner_reach, at_group(finance), miners, name="grp")
    a_policy(owner_reach, at_organization(brisk_otter), miners, name="org")
    matched(able_moose, miners, 5)
    matched(brisk_otter, miners, 7)
    (row,) = application_rows(owner_reach, able_moose, [miners])
    assert row.name == f"{northwind.name}\\Miners"
    assert row.rules.kinds == [("hash", 2), ("path", 1), ("signer", 1), ("program", 1)]
    assert row.strength is not None
    assert row.strength.score == 1
    assert [use.words for use in row.uses] == ["1 global", "1 group"]
    assert row.matches.count == 5
    (everywhere,) = application_rows(owner_reach, None, [miners])
    assert (everywhere.name, everywhere.matches.count) == ("Miners", 12)
    assert [use.words for use in everywhere.uses] == ["1 global", "1 organization", "1 group"]


def test_what_lint_keeps_about_an_application_and_its_rules_is_counted(reach: Reach, able_moose: Organization) -> None:
    weak = an_application(reach, able_moose, "Weak", rules=[RuleDraft(path=r"*\a.exe"), RuleDraft(path=r"*\b.exe")])
    fine = an_application(
        reach, able_moose, "Fine", rules=[RuleDraft(certificate="CN=A", path=r"c:\program files\a\*")]
    )
    with reaching(SYSTEM):
        assert lint_results.refresh(able_moose.id)
    with reaching(reach):
        kept = [
            one for one in lint_reading.findings(reach, able_moose.id) if one.subject_type in ("rule", "application")
        ]
        of_weak = [one for one in kept if weak.id in (one.application_id, one.subject_id)]
        rows = {row.name: row.findings for row in application_rows(reach, able_moose, [weak, fine])}
    assert rows["Weak"] == len(of_weak)
    assert len(of_weak) >= 2
    assert rows["Fine"] < rows["Weak"]


def test_a_parents_application_is_told_with_the_parents_name_and_ones_own_is_not(
    owner_reach: Reach, northwind: Organization, able_moose: Organization
) -> None:
    miners, acme = an_application(owner_reach, northwind, "Miners"), an_application(owner_reach, able_moose, "Acme")
    assert shown_name(miners, able_moose) == f"{northwind.name}\\Miners"
    assert shown_name(miners, northwind) == "Miners"
    assert shown_name(miners, None) == "Miners"
    assert shown_name(acme, able_moose) == "Acme"


def test_the_list_costs_the_same_few_statements_however_many_rules_there_are(
    tom: Client, able_moose: Organization, finance: ComputerGroup, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        one = an_application(SYSTEM, able_moose, f"Tool {number:02}")
        a_policy(SYSTEM, at_group(finance), one)
        if number % 3 == 0:
            add_file_rules(SYSTEM, one.id, rules=[RuleDraft(hash=f"{number:02}{n:062x}") for n in range(300)])
    assert FileRule.objects.within(SYSTEM).count() > 6_000
    with django_assert_max_num_queries(32):
        html = tom.get(f"{MOOSE}/applications/").content.decode()
    assert html.count('name="ids"') == 50
    assert len(html) < 150_000
    with django_assert_max_num_queries(32):
        assert "hash 300" in tom.get(f"{MOOSE}/applications/?many_hashes=&sort=-rules").content.decode()
