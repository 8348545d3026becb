"""Collapse hashes: what is proposed for what was seen, what stays, and that nothing seen stops matching."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import dictionaries
from policies import undoing
from policies.catalogue import RuleDraft
from policies.compile.rules import load_applications
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.models import Application, Change, FileRule
from policies.upkeep import collapse, pictures
from policies.upkeep.reviewing import Review, Wanted
from portal.common.errors import Conflict, Refused
from portal.tenants.models import Computer, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit.sending import DENY, PERMIT, event, send
from tests.factories import SYSTEM
from tests.policies.conftest import a_policy, an_application, at_organization

CONTOSO = "CN=Contoso Ltd, O=Contoso Ltd, C=US"
UPDATER = r"c:\program files\acme ledger\updater.exe"
CHROME = r"c:\program files\google\chrome\application\chrome.exe"
RMM = r"c:\program files\acmerrm\agent.exe"
EXPLICIT = type(DENY)(action="deny", effect="denied", reason_code="deny")


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    dictionaries.forget_all()
    yield
    dictionaries.forget_all()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ran(number: int, path: str, **fields: Any) -> dict[str, Any]:
    """A file that was permitted; its hash comes of its path and `version`."""
    version = fields.pop("version", "")
    base = {"certificate": "", "created_by": "", "process": r"c:\windows\explorer.exe", "decision": PERMIT}
    return {"sequence": number, **base, "path": path, "sha256": digest(f"{path}{version}"), **fields}


def tell(computer: Computer, *rows: dict[str, Any], batch: int = 1) -> None:
    send(computer, *(event(**row) for row in rows), batch=batch, boot_id=f"boot-{computer.name}")


def learned(of: Organization, rows: list[dict[str, Any]], name: str = "Learned") -> Application:
    hashes = dict.fromkeys(str(row["sha256"]) for row in rows)
    return an_application(SYSTEM, of, name, rules=[RuleDraft(hash=one, note="learned") for one in hashes])


def rules_of(review: Review) -> list[dict[str, str]]:
    names = ("path", "process", "created_by", "certificate")
    return [{name: getattr(one.rule, name) for name in names if getattr(one.rule, name)} for one in review.proposals]


def test_signed_versions_become_certificate_and_path_with_the_version_general(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    folder = r"C:\Users\{}\AppData\Local\Contoso\app-{}\{}"
    rows = [
        ran(n, folder.format(user, version, name), certificate=CONTOSO)
        for n, (user, version, name) in enumerate(
            [("jdoe", "1.2.3", "contoso.exe"), ("akim", "1.3.0", "contoso.exe"), ("akim", "1.3.0", "helper.dll")], 1
        )
    ]
    tell(fin_01, *rows)
    application = learned(able_moose, rows)
    found = collapse.propose(reach, able_moose.id, application.id)
    assert rules_of(found) == [{"path": r"%LOCALAPPDATA%\contoso\app-*\*", "certificate": CONTOSO}]
    assert (found.proposals[0].hashes, found.rules_after, found.proposals[0].ticked) == (3, 1, True)
    assert found.proposals[0].strength is not None
    assert found.proposals[0].strength.score == 4


def test_unsigned_files_of_one_updater_become_created_by_and_path(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\acme ledger\part{n}.dll", created_by=UPDATER) for n in range(1, 5)]
    tell(fin_01, *rows)
    found = collapse.propose(reach, able_moose.id, learned(able_moose, rows).id)
    assert rules_of(found)[0]["created_by"] == UPDATER
    assert rules_of(found)[0]["path"].startswith(r"c:\program files\acme ledger")
    assert found.rules_after == 1


def test_scripts_become_an_anchored_pattern_with_their_writer_and_launcher(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [
        ran(
            n,
            rf"c:\programdata\acmerrm\scripts\custom_{n}f2c41d7.ps1",
            action_type="script",
            process=RMM,
            created_by=RMM,
        )
        for n in range(1, 5)
    ]
    tell(fin_01, *rows)
    found = collapse.propose(reach, able_moose.id, learned(able_moose, rows).id)
    assert rules_of(found) == [
        {
            "path": r"regex:c:\\programdata\\acmerrm\\scripts\\custom_[0-9a-f]{8}\.ps1",
            "process": RMM,
            "created_by": RMM,
        }
    ]


def test_what_a_browser_wrote_where_people_write_stays_a_hash(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\users\jdoe\downloads\tool{n}.exe", created_by=CHROME) for n in (1, 2, 3)]
    rows += [ran(n, rf"c:\users\jdoe\tools\bare{n}.exe") for n in (4, 5)]
    tell(fin_01, *rows)
    never = {"sha256": digest("never seen")}
    found = collapse.propose(reach, able_moose.id, learned(able_moose, [*rows, never]).id)
    assert found.proposals == ()
    assert [(one.hashes, one.why) for one in found.staying] == [
        (3, "Unsigned, and written by chrome.exe, which writes whatever it is told to, where anybody can write."),
        (2, "Unsigned, and it is not known which program wrote it: only its hash tells it apart."),
        (1, "Not seen as far as events are kept: there is nothing to go by."),
    ]


def test_no_rule_of_a_path_alone_is_ever_proposed(reach: Reach, able_moose: Organization, fin_01: Computer) -> None:
    shapes = [
        (r"c:\users\jdoe\appdata\local\temp\{}\x.exe", ""), (r"c:\programdata\acme\{}.exe", ""),
        (r"c:\program files\acme\{}.dll", UPDATER), (r"c:\temp\{}.ps1", ""), (r"d:\share\{}.exe", CHROME),
    ]  # fmt: skip
    rows = [
        ran(n * 10 + m, path.format(f"part{m}"), created_by=writer)
        for n, (path, writer) in enumerate(shapes, 1)
        for m in range(4)
    ]
    tell(fin_01, *rows)
    found = collapse.propose(reach, able_moose.id, learned(able_moose, rows).id)
    assert rules_of(found), "the one with a writer is proposed"
    assert all(set(rule) - {"path"} for rule in rules_of(found))


def test_a_hash_that_was_also_seen_elsewhere_stays(reach: Reach, able_moose: Organization, fin_01: Computer) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    copied = {**ran(4, r"c:\users\jdoe\desktop\copy.dll"), "sha256": rows[0]["sha256"]}
    tell(fin_01, *rows, copied)
    found = collapse.propose(reach, able_moose.id, learned(able_moose, rows).id)
    assert (len(found.replaced), found.proposals[0].hashes) == (2, 2)
    assert [one.why for one in found.staying] == [
        "Unsigned, and it is not known which program wrote it: only its hash tells it apart."
    ]


def test_what_else_a_rule_would_permit_is_told_and_unticks_it_when_a_policy_denies_it(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    banned = ran(4, r"c:\program files\contoso\remote.exe", certificate=CONTOSO, decision=EXPLICIT)
    tell(fin_01, *rows, banned)
    application = learned(able_moose, rows)
    wide = RuleDraft(path=r"c:\program files\contoso\*", certificate=CONTOSO)
    found = collapse.review(reach, able_moose.id, application.id, [Wanted(wide)])
    also = found.proposals[0].also
    assert (also.files, also.computers, also.organizations, also.explicit) == (1, 1, 1, 1)
    assert also.examples[0].path == r"c:\program files\contoso\remote.exe"
    assert not found.proposals[0].is_modest
    proposed = collapse.propose(reach, able_moose.id, application.id)
    assert rules_of(proposed) == [{"path": r"c:\program files\contoso\part*.dll", "certificate": CONTOSO}]
    assert proposed.proposals[0].also.files == 0


def test_sightings_out_of_the_readers_reach_keep_a_hash_and_are_not_shown(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, brisk_otter: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    otter = factories.computer(factories.group(brisk_otter, "Desk"), "bod-01")
    with reaching(SYSTEM):
        tell(fin_01, *rows)
        tell(otter, {**ran(1, r"c:\secret place\other.dll"), "sha256": rows[0]["sha256"]})
        application = learned(northwind, rows)
    narrow = owner_reach.within([northwind.id, able_moose.id])
    with reaching(narrow):
        found = collapse.propose(narrow, northwind.id, application.id)
    assert len(found.replaced) == 2
    assert "secret" not in repr(found.staying) + repr(found.proposals)
    assert found.staying[0].why == "Also seen in a way that no ticked rule covers."


def test_applying_replaces_the_hashes_counts_a_change_and_is_taken_back_to_the_row(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in range(1, 6)]
    tell(fin_01, *rows)
    application = learned(able_moose, [*rows, {"sha256": digest("never seen")}])
    a_policy(reach, at_organization(able_moose), application, name="org-learned-permit")
    before, pending = pictures.picture([application.id]), Change.rows.count()
    found = collapse.propose(reach, able_moose.id, application.id)
    drafts = [one.rule for one in found.proposals]
    step = collapse.collapse_hashes(reach, able_moose.id, application.id, rules=drafts, seen=found.seen)
    kept = FileRule.rows.filter(application=application)
    assert [(rule.position, rule.path, rule.hash) for rule in kept] == [
        (1, drafts[0].path, ""),
        (6, "", digest("never seen")),
    ]
    assert Change.rows.count() == pending + 1
    told = Entry.rows.get(verb="application.collapsed")
    assert (told.before or {})["hashes"] == 5
    undoing.undo(reach, step.id)
    assert pictures.picture([application.id]) == before
    assert Change.rows.count() == pending + 2


def test_what_was_seen_since_the_preview_stops_it(reach: Reach, able_moose: Organization, fin_01: Computer) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    tell(fin_01, *rows)
    application = learned(able_moose, rows)
    found = collapse.propose(reach, able_moose.id, application.id)
    tell(fin_01, {**ran(9, r"e:\stick\part.dll"), "sha256": rows[0]["sha256"]}, batch=2)
    drafts = [one.rule for one in found.proposals]
    with pytest.raises(Conflict, match="More was seen"):
        collapse.collapse_hashes(reach, able_moose.id, application.id, rules=drafts, seen=found.seen)
    assert FileRule.rows.filter(application=application).count() == 3
    with pytest.raises(Refused, match="no hash wholly"):
        other = [RuleDraft(path=r"c:\nowhere\*")]
        collapse.collapse_hashes(reach, able_moose.id, application.id, rules=other)


def test_hashes_that_a_rule_covers_already_go_without_a_new_one(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2)]
    tell(fin_01, *rows)
    rules = [RuleDraft(hash=str(row["sha256"])) for row in rows]
    wide = RuleDraft(path=r"c:\program files\contoso\*")
    application = an_application(SYSTEM, able_moose, "Contoso", rules=[*rules, wide])
    found = collapse.propose(reach, able_moose.id, application.id)
    assert (found.already, found.proposals, found.rules_after) == (2, (), 1)
    collapse.collapse_hashes(reach, able_moose.id, application.id, rules=[])
    assert [rule.path for rule in FileRule.rows.filter(application=application)] == [wide.path]


def test_edited_rules_keep_to_the_limit_of_slow_expressions(reach: Reach, able_moose: Organization) -> None:
    application = learned(able_moose, [{"sha256": digest("x")}])
    slow = [RuleDraft(path=rf"regex:[a-z]{{{n}}}:.*", process=rf"regex:[a-z]{{{n}}}:.*") for n in range(1, 31)]
    with pytest.raises(Refused, match="regular expressions"):
        collapse.review(reach, able_moose.id, application.id, [Wanted(rule) for rule in slow])
    with pytest.raises(Refused, match="regular expressions"):
        collapse.collapse_hashes(reach, able_moose.id, application.id, rules=slow)


def test_what_an_edited_rule_lets_go_is_told_as_uncovered(
    reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    rows = [ran(n, rf"c:\program files\contoso\part{n}.dll", certificate=CONTOSO) for n in (1, 2, 3)]
    tell(fin_01, *rows)
    narrow = RuleDraft(path=r"c:\program files\contoso\part1.dll", certificate=CONTOSO)
    found = collapse.review(reach, able_moose.id, learned(able_moose, rows).id, [Wanted(narrow)])
    assert [(one.hashes, one.why) for one in found.staying] == [(2, "No rule here covers it.")]
    unticked = collapse.review(reach, able_moose.id, found.application.id, [Wanted(narrow, ticked=False)])
    assert unticked.replaced == frozenset()
    assert unticked.proposals[0].hashes == 1
    assert (1, "Left to a rule that is not ticked.") in [(one.hashes, one.why) for one in unticked.staying]


def test_candidates_are_own_applications_with_many_hashes(
    reach: Reach, northwind: Organization, able_moose: Organization
) -> None:
    many = learned(able_moose, [{"sha256": digest(str(n))} for n in range(25)])
    learned(able_moose, [{"sha256": digest(str(n))} for n in range(5)], name="Few")
    with reaching(SYSTEM):
        learned(northwind, [{"sha256": digest(str(n))} for n in range(25)], name="Above")
    assert collapse.candidates(reach, able_moose.id) == [(many.id, "Learned", 25)]


ROWS = st.lists(
    st.tuples(
        st.sampled_from((r"c:\program files\acme", r"c:\users\jdoe\appdata\local\acme\app-1.2", r"c:\programdata\rmm")),
        st.integers(0, 9),
        st.sampled_from(("", CONTOSO)),
        st.sampled_from(("", UPDATER, CHROME)),
        st.integers(0, 12),
    ),
    min_size=4, max_size=24,
)  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=ROWS)
def test_whatever_was_seen_of_replaced_hashes_goes_on_matching_and_undo_gives_the_same_rows(
    reach: Reach, able_moose: Organization, fin_01: Computer, seen: list[tuple[str, int, str, str, int]]
) -> None:
    dictionaries.forget_all()
    with transaction.atomic():
        rows = [
            {
                **ran(n, rf"{folder}\part{name}.dll", certificate=signer, created_by=writer),
                "sha256": digest(str(hashed)),
            }
            for n, (folder, name, signer, writer, hashed) in enumerate(seen, 1)
        ]
        tell(fin_01, *rows)
        application = learned(able_moose, rows)
        before = pictures.picture([application.id])
        found = collapse.propose(reach, able_moose.id, application.id)
        drafts = [one.rule for one in found.proposals if one.ticked]
        if drafts and found.replaced:
            step = collapse.collapse_hashes(reach, able_moose.id, application.id, rules=drafts, seen=found.seen)
            engine = Engine(load_applications([application.id])[0].values(), (), "windows")
            assert all(engine.matching_rules(facts_of(row)) for row in rows)
            undoing.undo(reach, step.id)
        assert pictures.picture([application.id]) == before
        transaction.set_rollback(True)


def facts_of(row: dict[str, Any]) -> FileFacts:
    signer = str(row["certificate"])
    return normal_facts(
        FileFacts(
            path=str(row["path"]),
            sha256=str(row["sha256"]),
            certificates=(signer,) if signer else (),
            process=str(row["process"]),
            created_by=str(row["created_by"]),
        )
    )
