"""Findings of an organization: whose they are, what is inherited, how they are kept, mended and accepted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policies import authoring, catalogue, linting, placing, settings, undoing
from policies.catalogue import RuleDraft
from policies.engine.lint import Code
from policies.linting import Finding, results
from policies.models import Action, Application, FileRule, LintResult, Policy
from policies.scopes import Scope
from portal.common import clock
from portal.common.errors import Forbidden, Invalid, NotFound
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally

HASH = "a" * 64


@pytest.fixture
def tool(reach: Reach, able_moose: Organization) -> Application:
    return an_application(reach, able_moose, "Tool", rules=[RuleDraft(path=r"c:\program files\acme tools\tool.exe")])


def of(found: list[Finding], code: Code) -> list[Finding]:
    return [one for one in found if one.code is code]


def at(reach: Reach, organization: Organization, code: Code) -> list[Finding]:
    return of(linting.findings(reach, organization.id), code)


@pytest.fixture
def shadowed(reach: Reach, able_moose: Organization, acme: Application, tool: Application) -> tuple[Policy, Policy]:
    """A permit of the folder above a deny of one program in it."""
    wide = a_policy(reach, at_organization(able_moose), acme, name="org-acme-permit")
    deny = a_policy(reach, at_organization(able_moose), tool, name="org-tool-deny", action=Action.DENY)
    return wide, deny


def test_a_shadowed_deny_is_found_with_its_reason_and_its_remedy(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy]
) -> None:
    (found,) = at(reach, able_moose, Code.SHADOWED)
    assert (found.subject_id, found.subject_name, found.severity) == (shadowed[1].id, "org-tool-deny", "danger")
    assert found.others == (shadowed[0].id,)
    assert "three months" in found.why
    assert found.link.endswith(f"#policy-{shadowed[1].id}")
    assert found.fix is not None
    assert (found.fix.kind, found.fix.is_done_here, found.fix.asks) == ("move_above", True, True)


def test_moving_it_above_mends_it_and_undo_brings_it_back(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy]
) -> None:
    (found,) = at(reach, able_moose, Code.SHADOWED)
    (planned,) = linting.plan(reach, able_moose.id, [found.key])
    assert "moves before org-acme-permit" in planned.text
    done = linting.fix(reach, organization_id=able_moose.id, keys=[found.key])
    assert [one.subject_id for one in done.mended] == [shadowed[1].id]
    assert not at(reach, able_moose, Code.SHADOWED)
    undoing.undo(reach, done.steps[0].id)
    assert at(reach, able_moose, Code.SHADOWED)


def test_a_global_permit_shadows_a_group_s_deny_and_cannot_be_passed_from_below(
    reach: Reach, owner_reach: Reach, northwind: Organization, all_windows: ComputerGroup, finance: ComputerGroup
) -> None:
    everywhere = an_application(owner_reach, northwind, "Everywhere", rules=[RuleDraft(path=r"c:\acme\*")])
    one = an_application(owner_reach, finance.organization, "One", rules=[RuleDraft(path=r"c:\acme\one.exe")])
    winner = a_policy(owner_reach, globally(owner_reach, all_windows), everywhere, name="glb-everywhere-permit")
    loser = a_policy(owner_reach, at_group(finance), one, name="grp-one-deny", action=Action.DENY,
                     place=placing.at(100_501))  # fmt: skip
    (found,) = at(owner_reach, finance.organization, Code.SHADOWED)
    assert (found.subject_id, found.others) == (loser.id, (winner.id,))
    (planned,) = linting.plan(owner_reach, finance.organization_id, [found.key])
    assert "another organization's list" in planned.obstacle


def test_an_inherited_finding_is_told_as_such_without_a_button(
    owner_reach: Reach, northwind: Organization, able_moose: Organization, all_windows: ComputerGroup
) -> None:
    open_to_all = an_application(owner_reach, northwind, "Open", rules=[RuleDraft(path=r"c:\users\*\open.exe")])
    a_policy(owner_reach, globally(owner_reach, all_windows), open_to_all, name="glb-open-permit")
    (below,) = at(owner_reach, able_moose, Code.USER_WRITABLE)
    (home,) = at(owner_reach, northwind, Code.USER_WRITABLE)
    assert (below.inherited, below.fix, below.organization_name) == (True, None, northwind.name)
    assert (home.inherited, home.fix is None) == (False, False)
    both = linting.report(owner_reach, [northwind.id, able_moose.id])
    assert not of(list(both.findings), Code.USER_WRITABLE), "nothing is kept yet: several organizations are only read"
    for organization in (northwind, able_moose):
        results.refresh(organization.id)
    both = linting.report(owner_reach, [northwind.id, able_moose.id])
    assert len(of(list(both.findings), Code.USER_WRITABLE)) == 1, "told once, where it lives"


def test_a_setting_that_changes_the_bands_somewhere_keeps_a_built_in_from_shadowing(
    owner_reach: Reach, able_moose: Organization, fin_01: Computer
) -> None:
    with reaching(system_reach("a test")):
        builtin = Application.rows.create(kind="builtin", catalogue_key="acme", name="Acme built-in", os="windows")
        FileRule.rows.create(application=builtin, position=1, path=r"c:\acme\*")
    own = an_application(owner_reach, able_moose, "Own", rules=[RuleDraft(path=r"c:\acme\own.exe")])
    a_policy(owner_reach, at_organization(able_moose), builtin, name="org-acme-permit")
    a_policy(owner_reach, at_organization(able_moose), own, name="org-own-deny", action=Action.DENY)
    assert at(owner_reach, able_moose, Code.SHADOWED)
    at_computer = Scope(able_moose.id, "computer", fin_01.id)  # type: ignore[arg-type]
    settings.create_setting(owner_reach, scope=at_computer, name="prioritize_builtin_applications", value=False)
    assert not at(owner_reach, able_moose, Code.SHADOWED)


def test_a_rule_that_another_covers_is_deleted_and_comes_back(
    reach: Reach, able_moose: Organization, acme: Application
) -> None:
    catalogue.add_file_rule(reach, acme.id, rule=RuleDraft(path=r"c:\program files\acme tools\bin\*", note="why"))
    (found,) = at(reach, able_moose, Code.COVERED)
    done = linting.fix(reach, organization_id=able_moose.id, keys=[found.key])
    assert done.summary == "1 rule deleted from Acme Tools"
    assert [rule.path for rule in FileRule.rows.filter(application=acme)] == [r"c:\program files\acme tools\*"]
    undoing.undo(reach, done.steps[0].id)
    assert FileRule.rows.get(application=acme, note="why").path == r"c:\program files\acme tools\bin\*"


def test_what_was_mended_meanwhile_is_told_and_nothing_is_lost(
    reach: Reach, able_moose: Organization, acme: Application
) -> None:
    narrow = catalogue.add_file_rule(reach, acme.id, rule=RuleDraft(path=r"c:\program files\acme tools\bin\*"))
    (found,) = at(reach, able_moose, Code.COVERED)
    wide = FileRule.rows.get(application=acme, position=1)
    catalogue.delete_file_rule(reach, acme.id, wide.id)
    done = linting.fix(reach, organization_id=able_moose.id, keys=[found.key])
    assert (done.mended, [key for key, _ in done.failed]) == ([], [found.key])
    assert FileRule.rows.filter(id=narrow.id).exists()


def test_dots_are_escaped_in_place(reach: Reach, able_moose: Organization, acme: Application) -> None:
    rule = catalogue.add_file_rule(reach, acme.id, rule=RuleDraft(path=r" regex:c:\\acme\\[a-z]+tool.exe"))
    found = next(one for one in at(reach, able_moose, Code.BROAD_REGEX) if one.fix)
    (planned,) = linting.plan(reach, able_moose.id, [found.key])
    assert r"tool\.exe" in planned.text
    done = linting.fix(reach, organization_id=able_moose.id, keys=[found.key])
    assert FileRule.rows.get(id=rule.id).path == r"regex:c:\\acme\\[a-z]+tool\.exe"
    undoing.undo(reach, done.steps[0].id)
    assert FileRule.rows.get(id=rule.id).path == r"regex:c:\\acme\\[a-z]+tool.exe"


def test_expired_policies_are_disabled_in_one_step(reach: Reach, able_moose: Organization, acme: Application) -> None:
    made = [a_policy(reach, at_organization(able_moose), acme, name=f"org-acme-{n}") for n in range(3)]
    past = clock.now() - timedelta(days=2)
    Policy.rows.filter(id__in=[p.id for p in made[:2]]).update(expires_at=past, starts_at=past - timedelta(days=9))
    found = at(reach, able_moose, Code.EXPIRED)
    done = linting.fix(reach, organization_id=able_moose.id, keys=[one.key for one in found])
    assert len(done.mended) == 2
    assert len(done.steps) == 1
    assert [Policy.rows.get(id=p.id).enabled for p in made] == [False, False, True]
    assert not at(reach, able_moose, Code.EXPIRED)


def test_a_policy_in_a_template_is_not_called_unused(reach: Reach, able_moose: Organization, acme: Application) -> None:
    template = factories.group(able_moose, "Template", is_template=True)
    idle = a_policy(reach, at_group(template), acme, name="grp-template-acme")
    used = a_policy(reach, at_organization(able_moose), acme, name="org-acme")
    Policy.rows.all().update(created_at=clock.now() - timedelta(days=50))
    unused = {one.subject_id for one in at(reach, able_moose, Code.UNUSED)}
    assert used.id in unused
    assert idle.id not in unused


def test_an_application_that_only_a_customer_s_policy_names_is_in_use(
    owner_reach: Reach, northwind: Organization, able_moose: Organization
) -> None:
    lent = an_application(owner_reach, northwind, "Lent")
    idle = an_application(owner_reach, northwind, "Idle")
    a_policy(owner_reach, at_organization(able_moose), lent)
    assert [one.subject_id for one in at(owner_reach, northwind, Code.UNUSED_APPLICATION)] == [idle.id]


def test_an_accepted_finding_is_marked_until_its_day_comes(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy]
) -> None:
    (found,) = at(reach, able_moose, Code.SHADOWED)
    day = clock.now().date() + timedelta(days=30)
    (row,) = linting.accept(
        reach,
        organization_id=able_moose.id,
        subjects=[(found.code, found.subject_type, found.subject_id)],
        reason="The vendor asked for it, T-12",
        review_on=day,
    )
    (accepted,) = at(reach, able_moose, Code.SHADOWED)
    assert accepted.accepted == row
    assert linting.findings_of_policies(reach, [found.subject_id]) == {}
    entry = Entry.rows.filter(verb="finding.accepted").get()
    assert entry.organization_id == able_moose.id
    row.review_on = clock.now().date()
    row.save(update_fields=["review_on"])
    (again,) = at(reach, able_moose, Code.SHADOWED)
    assert again.accepted is None


@pytest.mark.parametrize(("reason", "days"), [("", 30), ("x" * 501, 30), ("because", 0), ("because", 400)])
def test_an_acceptance_needs_a_reason_and_a_day_within_a_year(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy], reason: str, days: int
) -> None:
    with pytest.raises(Invalid):
        linting.accept(
            reach,
            organization_id=able_moose.id,
            subjects=[("expired", "policy", shadowed[0].id)],
            reason=reason,
            review_on=clock.now().date() + timedelta(days=days),
        )


def test_a_reader_may_look_and_neither_mend_nor_accept(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy], reader: object
) -> None:
    mine = factories.reach(reader)  # type: ignore[arg-type]
    with reaching(mine):
        (found,) = at(mine, able_moose, Code.SHADOWED)
        done = linting.fix(mine, organization_id=able_moose.id, keys=[found.key])
        assert done.mended == []
        with pytest.raises(Forbidden):
            linting.accept(
                mine,
                organization_id=able_moose.id,
                subjects=[(found.code, "policy", found.subject_id)],
                reason="no",
                review_on=clock.now().date() + timedelta(days=3),
            )


def test_another_organization_is_not_there(reach: Reach, stranger: object, able_moose: Organization) -> None:
    theirs = factories.reach(stranger)  # type: ignore[arg-type]
    with reaching(theirs), pytest.raises(NotFound):
        linting.findings(theirs, able_moose.id)


def test_a_result_is_kept_until_something_changes(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy]
) -> None:
    assert results.refresh(able_moose.id)
    assert not results.refresh(able_moose.id)
    assert list(linting.findings_of_policies(reach, [shadowed[1].id])) == [shadowed[1].id]
    authoring.set_enabled(reach, shadowed[0].id, enabled=False)
    assert results.current(reach, able_moose.id).result != LintResult.rows.get(organization=able_moose)
    assert results.refresh(able_moose.id)


def test_a_large_organization_shows_the_last_result_while_it_is_judged_again(
    reach: Reach, able_moose: Organization, shadowed: tuple[Policy, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RULES_JUDGED_AT_ONCE", 0)
    first = linting.report(reach, [able_moose.id])
    assert (first.findings, first.waiting) == ((), (able_moose.id,))
    results.refresh(able_moose.id)
    fresh = linting.report(reach, [able_moose.id])
    assert (bool(fresh.findings), fresh.waiting) == (True, ())
    authoring.set_enabled(reach, shadowed[0].id, enabled=False)
    stale = linting.report(reach, [able_moose.id])
    assert (len(stale.findings), stale.waiting) == (len(fresh.findings), (able_moose.id,))


def test_a_kept_result_is_behind_both_walls(
    reach: Reach, able_moose: Organization, brisk_otter: Organization, shadowed: tuple[Policy, Policy], stranger: object
) -> None:
    results.refresh(able_moose.id)
    with reaching(system_reach("a test")):
        assert LintResult.rows.count() == 1
    theirs = factories.reach(stranger)  # type: ignore[arg-type]
    with reaching(theirs):
        assert LintResult.rows.count() == 0
