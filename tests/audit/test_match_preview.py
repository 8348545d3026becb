"""The match preview says exactly what a plain evaluation of every event says, and keeps to what may be seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, time, timedelta

import pytest
from django.db import connection

from audit import fold, match_preview, retention, search
from audit.event_rows import EventRow
from audit.explain import facts_of
from audit.match_preview import computers_seen
from audit.search_terms import EventTerms
from policies.catalogue import RuleDraft
from policies.engine.engine import Engine
from policies.engine.model import Application
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule
from policies.previews import MatchPreview
from portal.accounts.models import User
from portal.common import clock
from portal.common.uuid7 import uuid7
from portal.tenants.models import Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit import fleet
from tests.audit.sending import DENY, PERMIT, event, send

PATHS = [
    "", "", r"c:\windows\temp\*", r"*\setup.exe", r"C:\Program Files\ACME 100%\*", r"c:\users\*\chrome.exe",
    r"%TEMP%\..\*", r"c:\büro\*", r"C:\BÜRO\a?b.ps1", r"c:\windows\temp\a_b.ps1", r"c:/windows/temp/setup.exe",
    r"regex:c:\\windows\\.*\\a[_X]b\.ps1", r"regex:.*\\update_[0-9]\.[0-9]\.exe", r"%LOCALAPPDATA%\*",
    "*invoice*.exe", r"\\?\C:\Windows\Temp\setup.exe", "*e*",
]  # fmt: skip
PROGRAMS = [
    "",
    "",
    "",
    r"c:\windows\explorer.exe",
    r"*\acme_agent.exe",
    "[]",
    r"c:\program files\*",
    r"regex:c:\\windows\\c.d\.exe",
]
SIGNERS = ["", "", "CN=Acme Ltd", "cn=microsoft  corporation", "CN=Nobody"]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests would meet the limit of time."""
    monkeypatch.setattr(match_preview, "MOST_WALKED_MS", 600_000)


@pytest.fixture
def organizations(northwind: Organization, able_moose: Organization, brisk_otter: Organization) -> list[Organization]:
    return [northwind, able_moose, brisk_otter]


def random_rule(chance: random.Random, events: Sequence[EventRow]) -> RuleDraft:
    while True:
        rule = RuleDraft(
            hash=chance.choice(events).sha256 if chance.random() < 0.2 else "",
            path=chance.choice(PATHS), process=chance.choice(PROGRAMS), created_by=chance.choice(PROGRAMS),
            certificate=chance.choice(SIGNERS),
        )  # fmt: skip
        if any((rule.hash, rule.path, rule.process, rule.created_by, rule.certificate)):
            return rule


def plain(events: Sequence[EventRow], rules: Sequence[RuleDraft], days: int) -> tuple[int, ...]:
    """Every event, asked one by one."""
    low = datetime.combine(clock.now().date(), time.min, clock.now().tzinfo) - timedelta(days=days)
    engine_rules = tuple(FileRule("", r.hash, r.path, r.process, r.created_by, r.certificate) for r in rules)
    engine = Engine((Application("a", "", builtin=False, rules=engine_rules),), (), "windows")
    hit = [
        row for row in events
        if not row.is_gap and row.key.received_at >= low and engine.matching_rules(normal_facts(facts_of(row)))
    ]  # fmt: skip
    where = {row.key.organization_number for row in hit}
    permitted = {(row.key.organization_number, row.file_id) for row in hit if not row.outcome.is_deny}
    denied = {(row.key.organization_number, row.file_id) for row in hit if row.outcome.is_deny}
    return (
        len({row.file_id for row in hit if row.file_id}), len({row.computer.id for row in hit if row.computer}),
        len(where), len(hit), sum(row.outcome.is_deny for row in hit), len({file for _, file in denied}),
        len({file for _, file in denied - permitted}),
    )  # fmt: skip


def numbers(shown: MatchPreview) -> tuple[int, ...]:
    return (
        shown.files, shown.computers, shown.organizations, shown.events, shown.denied_events, shown.denied_files,
        shown.only_denied,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_preview_is_a_plain_evaluation_of_every_event(organizations: list[Organization], seed: int) -> None:
    chance = random.Random(seed)
    fleet.fill(organizations, seed=seed)
    with reaching(factories.SYSTEM):
        events = search.events(factories.SYSTEM, EventTerms(), size=1000).rows
        met = 0
        for _ in range(40):
            rules = [random_rule(chance, events) for _ in range(chance.randrange(1, 4))]
            days = chance.choice([1, 3, 30])
            shown = match_preview.match_preview(factories.SYSTEM, "windows", rules, None, days)
            if shown.unreadable:
                continue
            assert numbers(shown) == plain(events, rules, days), rules
            assert not shown.truncated
            met += bool(shown.files)
    assert met > 10


@pytest.mark.parametrize(("limit", "value"), [("MOST_CELLS", 3), ("MOST_EVENTS_COUNTED", 3), ("MOST_WALKED_MS", -1)])
def test_a_limit_that_is_met_is_told_and_numbers_become_lower_bounds(
    organizations: list[Organization], monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    fleet.fill(organizations, seed=1)
    rule = [RuleDraft(path="*e*")]
    with reaching(factories.SYSTEM):
        whole = match_preview.match_preview(factories.SYSTEM, "windows", rule)
        monkeypatch.setattr(match_preview, limit, value)
        cut = match_preview.match_preview(factories.SYSTEM, "windows", rule)
    assert not whole.truncated and cut.truncated
    assert all(few <= many for few, many in zip(numbers(cut)[:5], numbers(whole)[:5], strict=True))


def test_a_rule_that_the_indexes_answer_is_never_cut_short_by_time(
    organizations: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.fill(organizations, seed=1)
    rule = [RuleDraft(path=r"c:\windows\temp\*")]
    with reaching(factories.SYSTEM):
        whole = match_preview.match_preview(factories.SYSTEM, "windows", rule)
        monkeypatch.setattr(match_preview, "MOST_WALKED_MS", -1)
        assert match_preview.match_preview(factories.SYSTEM, "windows", rule) == whole


def test_a_pattern_that_fits_very_many_files_is_walked_day_by_day_to_the_same_answer(
    organizations: list[Organization],
) -> None:
    fleet.fill(organizations, seed=2)
    with reaching(factories.SYSTEM):
        events = search.events(factories.SYSTEM, EventTerms(), size=1000).rows
        for rule in (RuleDraft(path="*e*"), RuleDraft(process="[]"), RuleDraft(path="regex:(c:|d:).*")):
            shown = match_preview.match_preview(factories.SYSTEM, "windows", [rule])
            assert numbers(shown) == plain(events, [rule], 30)


def test_only_what_the_reader_may_see_is_counted(
    organizations: list[Organization], customer_admin: User, technician: User, able_moose: Organization
) -> None:
    fleet.fill(organizations, seed=4)
    rule = [RuleDraft(path=r"c:\windows\temp\*")]
    with reaching(factories.SYSTEM):
        everywhere = match_preview.match_preview(factories.SYSTEM, "windows", rule)
        here = match_preview.match_preview(factories.SYSTEM, "windows", rule, able_moose)
    own = factories.reach(customer_admin)
    with reaching(own):
        seen = match_preview.match_preview(own, "windows", rule)
    assert everywhere.organizations == 3 and seen.organizations == 1
    assert numbers(seen) == numbers(here)


def test_other_systems_and_rules_that_cannot_be_saved_are_left_out(organizations: list[Organization]) -> None:
    fleet.fill(organizations, seed=5)
    with reaching(factories.SYSTEM):
        assert match_preview.match_preview(factories.SYSTEM, "linux", [RuleDraft(path="*setup*")]).events == 0
        shown = match_preview.match_preview(factories.SYSTEM, "windows", [RuleDraft(path="regex:(?=a)b")])
        assert shown == MatchPreview(unreadable=True)


def test_examples_are_first_what_would_newly_run_with_its_computers(able_moose: Organization) -> None:
    one, other = (factories.computer(factories.group(able_moose, name), f"{name}-01") for name in ("Fin", "Sal"))
    send(one, event(1, path=r"C:\acme\old.exe", decision=PERMIT), event(2, path=r"C:\acme\new.exe", decision=DENY))
    send(other, event(1, path=r"C:\acme\new.exe", decision=DENY))
    with reaching(factories.SYSTEM):
        shown = match_preview.match_preview(factories.SYSTEM, "windows", [RuleDraft(path=r"c:\acme\*")])
    assert [(e.path, e.computers, e.denied) for e in shown.examples] == [
        (r"C:\acme\new.exe", 2, 2),
        (r"C:\acme\old.exe", 1, 0),
    ]
    assert (shown.files, shown.computers, shown.denied_files, shown.only_denied) == (2, 2, 1, 1)


def test_the_fold_keeps_on_which_computers_an_application_decided(
    able_moose: Organization, brisk_otter: Organization, customer_admin: User
) -> None:
    application = uuid7()
    decided = type(PERMIT)(action="permit", effect="permitted", application=str(application))
    for number, of in enumerate((able_moose, able_moose, brisk_otter)):
        computer = factories.computer(factories.group(of, f"G{number}"), f"C-{number}")
        send(computer, event(1, decision=decided), event(2, path=r"c:\b.exe", decision=decided))
        send(computer, event(3, decision=decided), batch=2, received_at=clock.now() - timedelta(days=40))
    fold.fold(factories.SYSTEM)
    with reaching(factories.SYSTEM):
        assert computers_seen(factories.SYSTEM, [application, uuid7()]) == {application: 3}
    own = factories.reach(customer_admin)
    with reaching(own):
        assert computers_seen(own, [application]) == {application: 2}


def test_a_path_that_thousands_of_files_share_is_counted_to_the_last_one(able_moose: Organization) -> None:
    computer = factories.computer(factories.group(able_moose, "Fin"), "Fin-01")
    for batch in range(5):
        paths = [rf"C:\many\{batch}\{number}.{'exe' if number % 100 else 'txt'}" for number in range(500)]
        day = clock.now() - timedelta(days=batch)
        found = [event(n, path=path, decision=DENY if n == 7 else PERMIT) for n, path in enumerate(paths, start=1)]
        send(computer, *found, batch=batch, received_at=day)
        if batch == 2:
            fold.fold(factories.SYSTEM)
    with reaching(factories.SYSTEM):
        shown = match_preview.match_preview(factories.SYSTEM, "windows", [RuleDraft(path=r"c:\many\*.exe")])
    assert numbers(shown) == (2475, 1, 1, 2475, 5, 5, 5)


def test_a_computer_that_an_application_did_not_meet_for_long_is_forgotten(able_moose: Organization) -> None:
    application = uuid7()
    decided = type(PERMIT)(action="permit", effect="permitted", application=str(application))
    computer = factories.computer(factories.group(able_moose, "Fin"), "Fin-01")
    send(computer, event(1, decision=decided))
    fold.fold(factories.SYSTEM)
    with reaching(factories.SYSTEM), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_application_computer SET last_day = last_day - 20")
        assert computers_seen(factories.SYSTEM, [application]) == {application: 1}
    retention.keep_days(factories.SYSTEM, retention_days=10)
    with reaching(factories.SYSTEM):
        assert computers_seen(factories.SYSTEM, [application]) == {}
