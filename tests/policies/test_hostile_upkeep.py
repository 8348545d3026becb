"""What a hostile tenant, a leaked token or a lying agent gains from tidying, lint, baselines and the lock-out guard."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import audit.match_preview
from agents.lockout import LONGEST_PROGRAM, MOST_PROGRAMS, own_programs
from policies import bulk, listing, moving, places, placing, portable, queries, rule_lists
from policies.baselines import exempting, lifecycle
from policies.baselines.lifecycle import Place
from policies.catalogue import RuleDraft
from policies.engine.engine import Engine
from policies.export import policy_lines
from policies.linting import listing as lint_listing
from policies.linting.finding import Finding
from policies.listing import PolicyTerms
from policies.models import Action, MatchCount, Policy, Status, UndoStep
from policies.rows import policy_rows
from policies.undoing import undo
from policies.upkeep import merging
from portal.accounts.models import User
from portal.common import clock
from portal.common.errors import Refused
from portal.common.uuid7 import uuid7
from portal.tenants.administration import organizations
from portal.tenants.models import ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization, globally
from tests.portal.api.caller import Caller

SYSTEM = factories.SYSTEM


@pytest.fixture
def told_elsewhere(
    owner: User, customer_admin: User, northwind: Organization, brisk_otter: Organization, all_windows: ComputerGroup
) -> Policy:
    """A global deny of the MSP that tells its owner, and that stopped something at Brisk Otter only."""
    with reaching(SYSTEM):
        miner = an_application(SYSTEM, northwind, "Miner")
        made = a_policy(
            SYSTEM, globally(SYSTEM, all_windows), miner, name="glob-miner-deny", action=Action.DENY,
            notify=(owner.email,),
        )  # fmt: skip
        long_ago, now = clock.now() - timedelta(weeks=10), clock.now()
        Policy.rows.filter(id=made.id).update(last_matched_at=now, created_at=long_ago)
        MatchCount.rows.create(
            organization=brisk_otter, day=now.date(), policy=made.id, count=3, last_at=now, application=miner.id
        )
        return made


def test_a_customer_does_not_learn_when_a_global_policy_decided_elsewhere(
    told_elsewhere: Policy, owner: User, customer_admin: User, able_moose: Organization
) -> None:
    with reaching(factories.reach(customer_admin)) as mine:
        terms = PolicyTerms(organization=able_moose.slug, include_disabled=True)
        at = listing.standing(mine, terms)
        rows = policy_rows(mine, list(listing.policies_listed(mine, terms, at=at)), terms=terms, at=at)
        (row,) = [row for row in rows if row.policy.id == told_elsewhere.id]
        assert row.policy.last_matched_at is None
        for matched in ("never", "unused"):
            found = listing.policies_listed(mine, replace(terms, matched=matched))
            assert told_elsewhere.id in found.values_list("id", flat=True), matched
        lines = list(policy_lines(mine, terms, organization=able_moose))
        (line,) = [line for line in csv.DictReader(lines) if line["name"] == "glob-miner-deny"]
        assert (line["matches_30_days"], line["last_matched_at"]) == ("0", "")
    with reaching(factories.reach(owner)) as whole:
        found = listing.policies_listed(whole, PolicyTerms(matched="never"))
        assert told_elsewhere.id not in found.values_list("id", flat=True)


def test_the_api_tells_a_customer_neither_whom_the_msp_tells_nor_when_it_decided_elsewhere(
    told_elsewhere: Policy, owner: User, customer_admin: User
) -> None:
    theirs = Caller(customer_admin).get(f"policies/{told_elsewhere.id}/").json()
    assert (theirs["name"], theirs["notify"], theirs["last_matched_at"]) == ("glob-miner-deny", [], None)
    own = Caller(owner).get(f"policies/{told_elsewhere.id}/").json()
    assert own["notify"] == [owner.email]
    assert own["last_matched_at"] is not None


def _disable_and_enable(reach: Reach, here: Policy) -> UndoStep | None:
    bulk.disable_policies(reach, [here.id], organization_id=here.organization_id)
    return bulk.enable_policies(reach, [here.id], organization_id=here.organization_id).step


def _restate(reach: Reach, here: Policy) -> UndoStep | None:
    bulk.restate_policies(reach, [here.id], organization_id=here.organization_id, status=Status.MONITOR_ONLY)
    return bulk.restate_policies(reach, [here.id], organization_id=here.organization_id, status=Status.INHERIT).step


def _delete(reach: Reach, here: Policy) -> UndoStep | None:
    moving.reorder_policy(reach, here.id, place=placing.at(500_000))
    return bulk.delete_policies(reach, [here.id], organization_id=here.organization_id).step


@pytest.mark.parametrize("write", [_disable_and_enable, _restate, _delete])
def test_undoing_is_no_way_around_an_exception_that_has_ended(
    technician: User,
    northwind: Organization,
    able_moose: Organization,
    write: Callable[[Reach, Policy], UndoStep | None],
) -> None:
    with reaching(SYSTEM):
        baseline = lifecycle.create_baseline(SYSTEM, organization_id=northwind.id, name="Workstations", os="windows")
        source = a_policy(SYSTEM, at_group(baseline.source_group), an_application(SYSTEM, northwind, "Zoom"))
        ((subscription, _),) = lifecycle.follow(SYSTEM, baseline.id, places=[Place(able_moose.id)]).done
    with reaching(factories.reach(technician)) as mine:
        here = Policy.objects.within(mine).get(linked_to=source, organization=able_moose)
        review_on = clock.now().date() + timedelta(days=30)
        exception = exempting.make_exception(
            mine, subscription.id, source.id, kind="changed", reason="They asked for it", review_on=review_on
        )
        step = write(mine, here)
        exempting.end_exception(mine, exception.id)
        assert step is not None
        with pytest.raises(Refused, match="follows the baseline"):
            undo(mine, step.id)
        (left,) = Policy.objects.within(mine).filter(linked_to=source, organization=able_moose)
        assert (left.enabled, left.status) == (True, Status.INHERIT)


def test_a_preview_tries_no_more_expressions_than_may_be_saved(
    reader: User, able_moose: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []

    def counting(applications: Any, policies: Any, os: str) -> Engine:
        built.append(sum(len(application.rules) for application in applications))
        return Engine(applications, policies, os)

    monkeypatch.setattr(audit.match_preview, "Engine", counting)
    rules = [RuleDraft(path=f"regex:.{{{n}}}[a-z].*") for n in range(1, 300)]
    with reaching(factories.reach(reader)) as mine:
        shown = audit.match_preview.match_preview(mine, "windows", rules, able_moose)
    assert shown.truncated
    assert sum(built) <= 50


@pytest.mark.parametrize(
    ("heartbeat", "count"),
    [
        ({"programs": [rf"c:\{n}.exe" for n in range(30_000)]}, MOST_PROGRAMS),
        ({"programs": ["c:\\" + "a" * LONGEST_PROGRAM]}, 0),
        ({"programs": [["c:\\a.exe"], {"path": 1}, None, ""]}, 0),
        ({"programs": {"c:\\a.exe": 1}}, 0),
        ({"programs": [r"c:\portcullis\agent.exe"]}, 1),
        ({}, 0),
    ],
)
def test_a_lying_agent_cannot_make_a_deployment_cost_more_than_an_honest_one(
    heartbeat: dict[str, Any], count: int
) -> None:
    assert len(own_programs(heartbeat)) == count


def test_rules_that_a_file_brought_stand_in_the_system_audit(technician: User, able_moose: Organization) -> None:
    entry = {"name": "Brought", "os": "windows", "rules": [{"path": r"c:\brought\*"}]}
    text = json.dumps({"format": portable.FORMAT, "applications": [entry]})
    with reaching(factories.reach(technician)) as mine:
        portable.import_applications(mine, able_moose, text)
        told = Entry.objects.within(mine).get(organization_id=able_moose.id, verb="application.imported")
    assert told.after == {"count": 1, "rules": [{"path": r"c:\brought\*"}]}


def test_a_file_of_applications_does_not_grow_without_a_limit(
    technician: User, able_moose: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "MOST_RULES_IN_A_FILE", 1)
    with reaching(factories.reach(technician)) as mine:
        made = [an_application(mine, able_moose, name) for name in ("Acme", "Zoom")]
        some = [queries.application(mine, one.id) for one in made]
        with pytest.raises(Refused, match="Take fewer"):
            portable.exported(mine, some)
        assert not Entry.objects.within(mine).filter(verb="application.exported").exists()


def test_who_follows_from_the_beginning_is_told_in_its_own_system_audit(owner: User, northwind: Organization) -> None:
    with reaching(SYSTEM):
        lifecycle.create_baseline(
            SYSTEM, organization_id=northwind.id, name="For all", os="windows", new_customers=True
        )
    with reaching(factories.reach(owner)) as mine:
        made = organizations.create_organization(mine, name="Quiet Heron", parent_id=northwind.id)
    with reaching(SYSTEM):
        entry = Entry.objects.within(SYSTEM).get(organization_id=made.id, verb="baseline.followed")
    assert entry.actor_name == str(owner)


def test_a_line_break_at_the_beginning_starts_no_formula_in_the_export_of_lint() -> None:
    (_, line) = lint_listing.csv_lines([a_finding(subject_name="\n=cmd|x")], {})
    assert '"\'\n=cmd|x"' in line


def a_finding(**fields: Any) -> Finding:
    plain: dict[str, Any] = {field.name: "" for field in dataclass_fields(Finding)}
    return Finding(**{**plain, "accepted": None, "seen_at": None, **fields})


def test_nobody_merges_thousands_of_applications_in_one_request(technician: User, able_moose: Organization) -> None:
    with reaching(factories.reach(technician)) as mine, pytest.raises(Refused, match="At most"):
        merging.plan_merge(mine, able_moose.id, [str(uuid7()) for _ in range(1_000)])


@pytest.mark.parametrize(
    ("path", "verb"),
    [("lint/export/", "findings.exported"), ("policies/baselines/{baseline}/export/", "baseline.exported")],
)
def test_who_takes_findings_or_drift_out_stands_in_the_system_audit(
    reader: User, northwind: Organization, able_moose: Organization, as_user: Any, path: str, verb: str
) -> None:
    with reaching(SYSTEM):
        baseline = lifecycle.create_baseline(SYSTEM, organization_id=northwind.id, name="Workstations", os="windows")
        lifecycle.follow(SYSTEM, baseline.id, places=[Place(able_moose.id)])
    answer = as_user(reader).get(f"/o/{able_moose.slug}/{path.format(baseline=baseline.id)}")
    assert answer.status_code == 200
    with reaching(SYSTEM):
        entry = Entry.objects.within(SYSTEM).get(organization_id=able_moose.id, verb=verb)
    assert entry.actor_name == str(reader)


def test_a_number_or_a_line_without_end_is_refused_in_words(technician: User, able_moose: Organization) -> None:
    with reaching(factories.reach(technician)) as mine:
        policy = a_policy(mine, at_organization(able_moose), an_application(mine, able_moose, "Acme"))
        with pytest.raises(Refused):
            places.place_in(mine, PolicyTerms(), policy, "position:" + "9" * 5_000)
    read = rule_lists.read_rules(r"c:\acme\a.exe" + "\n" + "x" * 200_000 + "," + "y" * 200_000, "windows")
    assert [fault.line for fault in read.faults] == [2]
    assert len(read.rules) == 1


def test_a_merge_that_alters_a_customers_policy_stands_in_the_customers_system_audit(
    owner: User, northwind: Organization, able_moose: Organization
) -> None:
    with reaching(factories.reach(owner)) as mine:
        kept, going = (an_application(mine, northwind, name) for name in ("Acme", "Zoom"))
        theirs = a_policy(mine, at_organization(able_moose), going)
        step = merging.merge_applications(mine, northwind.id, [kept.id, going.id], survivor=kept.id)
        undo(mine, step.id)
        told = Entry.objects.within(mine).filter(organization_id=able_moose.id, after__policies=[theirs.name])
        assert sorted(told.values_list("verb", flat=True)) == ["application.restored", "applications.merged"]
