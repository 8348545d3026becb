"""Many rules at once, own copies, and applications as files."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import catalogue, changes, portable, queries
from policies.catalogue import RuleDraft
from policies.duplicating import duplicate_application
from policies.models import Application, FileRule
from policies.rule_lists import Added, add_file_rules, read_rules
from portal.common.errors import Forbidden, Invalid, NotFound, Refused
from portal.tenants.models import ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from tests.policies.conftest import a_policy, an_application, at_group, globally

HASH = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def edge(northwind: Organization) -> Application:
    """A built-in application; made before anybody's reach is opened."""
    made = Application.rows.create(
        kind="builtin", name="Edge", catalogue_key="edge", os="windows", category="browser", risk="It runs scripts.",
        suggested_ringfence={"network": {"mode": "log_only", "entries": []}},
    )  # fmt: skip
    FileRule.rows.create(application=made, position=1, certificate="CN=Microsoft", path=r"c:\edge\*", note="n")
    return made


def test_hashes_paths_and_notes_are_read_one_a_line() -> None:
    read = read_rules(
        f"\ufeff# from the vendor\n{HASH.upper()}  setup 4.2\n\n{OTHER},the updater\nC:\\Acme\\*.exe, all of it\n"
        r"regex:c:\\acme\\[0-9]{2,4}\.ps1",
        "windows",
    )
    assert read.faults == ()
    assert read.lines == (2, 4, 5, 6)
    assert read.rules == (
        RuleDraft(hash=HASH.upper(), note="setup 4.2"),
        RuleDraft(hash=OTHER, note="the updater"),
        RuleDraft(path=r"C:\Acme\*.exe", note="all of it"),
        RuleDraft(path=r"regex:c:\\acme\\[0-9]{2,4}\.ps1"),
    )


def test_a_csv_names_its_columns() -> None:
    text = 'Signer,Path,Note\n"CN=Acme, O=Acme Ltd",C:\\Acme\\*,"a, b"\nCN=Other,C:\\Other\\*'
    assert read_rules(text, "windows").rules == (
        RuleDraft(certificate="CN=Acme, O=Acme Ltd", path=r"C:\Acme\*", note="a, b"),
        RuleDraft(certificate="CN=Other", path=r"C:\Other\*"),
    )


def test_a_line_that_cannot_be_read_is_told_with_its_number_and_the_others_stand() -> None:
    read = read_rules(f"{HASH}\nhello\n{'a' * 40}\nregex:c:\\\\a(?=b)\n{OTHER}", "windows")
    assert [fault.line for fault in read.faults] == [2, 3, 4]
    assert "neither a SHA-256 nor a path" in read.faults[0].message
    assert "looks like SHA-1" in read.faults[1].message
    assert read.faults[2].message.startswith("Position")
    assert [rule.hash for rule in read.rules] == [HASH, OTHER]


@given(st.text(max_size=300), st.sampled_from(["windows", "linux"]))
def test_every_line_is_read_or_told_whatever_was_pasted(text: str, os: str) -> None:
    read = read_rules(text, os)
    assert len(read.rules) == len(read.lines)
    assert not set(read.lines) & {fault.line for fault in read.faults}


def test_many_rules_come_in_at_once_and_known_ones_are_counted(
    reach: Reach, acme: Application, finance: ComputerGroup
) -> None:
    a_policy(reach, at_group(finance), acme)
    before = changes.pending(reach, [finance.organization_id]).count()
    rules = [
        RuleDraft(hash=HASH, note="x"),
        RuleDraft(hash=HASH.upper()),
        RuleDraft(path=r"c:\program files\acme tools\*"),
    ]
    assert add_file_rules(reach, acme.id, rules=rules) == Added(added=1, known=2)
    assert add_file_rules(reach, acme.id, rules=rules) == Added(added=0, known=3)
    assert list(queries.rules_of(reach, acme.id).values_list("position", "hash", "note")) == [
        (1, "", ""),
        (2, HASH, "x"),
    ]
    assert changes.pending(reach, [finance.organization_id]).count() == before + 1
    entry = Entry.objects.within(reach).filter(verb="application.rules_added").get()
    assert (entry.after or {})["count"] == 1


def test_one_bad_rule_keeps_all_out_and_is_pointed_at(reach: Reach, acme: Application) -> None:
    with pytest.raises(Invalid) as refused:
        add_file_rules(reach, acme.id, rules=[RuleDraft(hash=HASH), RuleDraft(path="*")])
    assert [fault.pointer for fault in refused.value.errors] == ["/rules/1/path"]
    assert queries.rules_of(reach, acme.id).count() == 1
    with pytest.raises(Refused):
        add_file_rules(reach, acme.id, rules=[])


def test_a_new_application_takes_many_rules_in_a_few_statements_and_not_too_many(
    reach: Reach, able_moose: Organization, django_assert_max_num_queries: Callable[[int], AbstractContextManager[None]]
) -> None:
    rules = [RuleDraft(hash=f"{number:064x}") for number in range(300)]
    with django_assert_max_num_queries(25):
        made = catalogue.create_application(
            reach, organization_id=able_moose.id, name="Many", os="windows", rules=rules
        )
    assert [rule.hash for rule in queries.rules_of(reach, made.id)] == [rule.hash for rule in rules]
    with pytest.raises(Refused, match="20,000 rules at most"):
        catalogue.create_application(
            reach, organization_id=able_moose.id, name="Too many", os="windows", rules=rules * 67
        )


def test_rules_of_a_built_in_application_stay(edge: Application, reach: Reach) -> None:
    with pytest.raises(Refused):
        add_file_rules(reach, edge.id, rules=[RuleDraft(hash=HASH)])


def test_a_built_in_application_is_copied_and_the_copy_can_be_changed(
    edge: Application, reach: Reach, able_moose: Organization
) -> None:
    copy = duplicate_application(reach, edge.id, organization_id=able_moose.id)
    assert (copy.name, copy.kind, copy.category, copy.risk) == ("Edge", "custom", "browser", "It runs scripts.")
    assert copy.suggested_ringfence == {"network": {"mode": "log_only", "entries": []}}
    rule = queries.rules_of(reach, copy.id).get()
    assert (rule.certificate, rule.note, rule.organization_id) == ("CN=Microsoft", "n", able_moose.id)
    assert catalogue.add_file_rule(reach, copy.id, rule=RuleDraft(hash=HASH)).position == 2
    assert queries.rules_of(reach, edge.id).count() == 1
    again = duplicate_application(reach, copy.id, organization_id=able_moose.id)
    third = duplicate_application(reach, copy.id, organization_id=able_moose.id)
    assert (again.name, third.name) == ("Edge copy", "Edge copy 2")


def test_a_copy_is_made_of_what_may_be_named_there_only(
    owner_reach: Reach, able_moose: Organization, brisk_otter: Organization, northwind: Organization
) -> None:
    foreign = an_application(owner_reach, brisk_otter, "Otter")
    parents = an_application(owner_reach, northwind, "Miners")
    assert (
        duplicate_application(owner_reach, parents.id, organization_id=able_moose.id).organization_id == able_moose.id
    )
    with pytest.raises(NotFound):
        duplicate_application(owner_reach, foreign.id, organization_id=able_moose.id)


def test_what_is_handed_out_comes_in_again_the_same(
    owner_reach: Reach, able_moose: Organization, brisk_otter: Organization
) -> None:
    rules = [RuleDraft(hash=HASH, note="é"), RuleDraft(certificate="CN=Acme", path=r"c:\acme\*")]
    acme = an_application(owner_reach, able_moose, "Acme", rules=rules, category="office", publisher="Acme Ltd")
    text = json.dumps(portable.exported(owner_reach, [acme]))
    (made,) = portable.import_applications(owner_reach, brisk_otter, text)
    assert (made.name, made.category, made.publisher, made.os) == ("Acme", "office", "Acme Ltd", "windows")
    assert [catalogue.draft_of(rule) for rule in queries.rules_of(owner_reach, made.id)] == rules
    assert portable.exported(owner_reach, [made]) == portable.exported(owner_reach, [acme])


def test_a_file_is_looked_at_before_anything_comes_in(
    reach: Reach, able_moose: Organization, acme: Application
) -> None:
    entries: list[dict[str, Any]] = [
        {"name": "acme TOOLS", "os": "windows", "rules": []},
        {"name": "New", "os": "windows", "rules": [{"hash": HASH}, {"path": "regex:("}]},
        {"name": "Twice", "os": "linux", "rules": [{"path": "/opt/x"}]},
        {"name": "twice", "os": "linux", "rules": []},
        {"name": "Odd", "os": "beos", "colour": "red", "rules": [{"hash": 7}]},
    ]
    text = json.dumps({"format": portable.FORMAT, "applications": entries})
    read = portable.read_file(reach, able_moose, text)
    assert [(one.comes_in, one.taken) for one in read] == [
        (False, True), (False, False), (True, False), (False, True), (False, False),
    ]  # fmt: skip
    assert read[1].faults[0].startswith("Rule 2: ")
    assert len(read[4].faults) == 3
    assert [one.name for one in portable.import_applications(reach, able_moose, text)] == ["Twice"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "else/1"}', "[" * 100_000, f'{{"format": "{portable.FORMAT}"}}']
)
def test_what_is_no_file_of_applications_is_refused(reach: Reach, able_moose: Organization, text: str) -> None:
    with pytest.raises(Invalid):
        portable.read_file(reach, able_moose, text)


def test_who_may_not_write_takes_nothing_in(owner_reach: Reach, able_moose: Organization) -> None:
    narrow = Reach(owner_reach.actor, {able_moose.id: frozenset()}, {able_moose.id: able_moose.number})
    with pytest.raises(Forbidden):
        portable.import_applications(narrow, able_moose, "{}")


def test_a_rule_of_a_global_policys_application_needs_the_global_capability(
    owner_reach: Reach, northwind: Organization
) -> None:
    miners = an_application(owner_reach, northwind, "Miners")
    a_policy(owner_reach, globally(owner_reach, northwind), miners, name="glb", action="deny")
    assert add_file_rules(owner_reach, miners.id, rules=[RuleDraft(hash=HASH)]).added == 1
