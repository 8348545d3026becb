"""Whatever applications and policies there are: a step taken back gives the very same rows and evaluations, a merged
application matches exactly what its parts did, and a split with every policy changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import undoing
from policies.catalogue import RuleDraft
from policies.compile.rules import load_applications
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.models import Application, FileRule, Policy
from policies.scopes import Scope
from policies.upkeep import certificates, merging, pictures, splitting
from portal.common.errors import Conflict
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach
from tests.policies.conftest import a_policy, an_application, at_group, at_organization

OLD, NEW = "CN=Contoso Ltd, C=US", "CN=Contoso Inc, C=US"
HASHES = ("a" * 64, "b" * 64)
PATHS = (r"c:\acme\*", r"c:\acme\one.exe", r"c:\users\*\acme\*", "")
WRITERS = (r"c:\acme\updater.exe", "[]", "")

rule = st.builds(
    RuleDraft,
    hash=st.sampled_from(("", "", *HASHES)),
    path=st.sampled_from(PATHS),
    created_by=st.sampled_from(WRITERS),
    certificate=st.sampled_from(("", OLD, OLD.lower(), NEW)),
    note=st.sampled_from(("", "why")),
).filter(lambda draft: any((draft.hash, draft.path, draft.created_by, draft.certificate)))
rule_list = st.lists(rule, min_size=1, max_size=5, unique_by=lambda r: (r.hash, r.path, r.created_by, r.certificate))
FACTS = [
    normal_facts(FileFacts(path=path, sha256=sha256, certificates=(signer,) if signer else (), created_by=writer))
    for path in (r"c:\acme\one.exe", r"c:\acme\two.exe", r"c:\users\j\acme\x.dll", r"d:\else.exe")
    for sha256 in (*HASHES, "c" * 64)
    for signer in ("", OLD, NEW)
    for writer in ("", r"c:\acme\updater.exe")
]
examples = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@contextmanager
def forgotten() -> Iterator[None]:
    """What an example writes is gone with it."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def matched(applications: list[Application]) -> dict[str, list[int]]:
    """Per application the numbers of the facts that it matches."""
    found, _ = load_applications([application.id for application in applications])
    engine = Engine(found.values(), (), "windows")
    seen = [engine.matching_rules(facts) for facts in FACTS]
    return {key: [n for n, hits in enumerate(seen) if key in hits] for key in found}


def policies_match(policies: list[Policy]) -> dict[str, set[int]]:
    """Per policy the numbers of the facts that one of its applications matches."""
    found = {}
    for policy in policies:
        applications = list(Application.rows.filter(policies=policy))
        found[policy.name] = {n for of in matched(applications).values() for n in of}
    return found


def everything() -> Any:
    return pictures.picture(Application.rows.filter(organization__isnull=False).values_list("id", flat=True))


def made(
    reach: Reach, organization: Organization, scopes: list[Scope], lists: list[list[RuleDraft]], named: list[set[int]]
) -> tuple[list[Application], list[Policy]]:
    applications = [
        an_application(reach, organization, f"App {n}", rules=rules) for n, rules in enumerate(lists, start=1)
    ]
    policies = []
    for n, numbers in enumerate(named):
        chosen = [applications[one % len(applications)] for one in sorted(numbers)]
        chosen = list(dict.fromkeys(chosen))
        policies.append(a_policy(reach, scopes[n % len(scopes)], *chosen, name=f"policy {n}", enabled=n != 1))
    return applications, policies


named_sets = st.lists(st.sets(st.integers(0, 3), min_size=1, max_size=3), max_size=4)


@pytest.fixture
def scopes(able_moose: Organization, finance: ComputerGroup) -> list[Scope]:
    return [at_organization(able_moose), at_group(finance)]


@examples
@given(lists=st.lists(rule_list, min_size=2, max_size=4), named=named_sets, pick=st.integers(0, 3))
def test_a_merge_matches_exactly_the_union_and_is_taken_back_to_the_row(
    reach: Reach, able_moose: Organization, scopes: list[Scope], lists: Any, named: Any, pick: int
) -> None:
    with forgotten():
        applications, policies = made(reach, able_moose, scopes, lists, named)
        before, matches, decided = everything(), matched(applications), policies_match(policies)
        survivor = applications[pick % len(applications)]
        ids = [application.id for application in applications]
        plan = merging.plan_merge(reach, able_moose.id, ids, survivor=survivor.id)
        step = merging.merge_applications(reach, able_moose.id, ids, survivor=survivor.id, seen=plan.seen)
        union = sorted({n for of in matches.values() for n in of})
        assert matched([survivor]) == {str(survivor.id): union}
        assert FileRule.rows.filter(application=survivor).count() == plan.rules_after
        assert all(found == set(union) for found in policies_match(policies).values())
        same = {shift.policy_id for shift in plan.shifts if not shift.rules}
        assert all(decided[p.name] == set(union) for p in policies if p.id in same)
        undoing.undo(reach, step.id)
        assert everything() == before
        assert matched(applications) == matches
        assert policies_match(policies) == decided


@examples
@given(rules=rule_list.filter(lambda found: len(found) > 1), named=named_sets, data=st.data())
def test_a_split_with_every_policy_changes_nothing_and_is_taken_back_to_the_row(
    reach: Reach, able_moose: Organization, scopes: list[Scope], rules: Any, named: Any, data: Any
) -> None:
    with forgotten():
        other = [RuleDraft(path=r"d:\else.exe")]
        applications, policies = made(reach, able_moose, scopes, [rules, other], named)
        before, matches, decided = everything(), matched(applications), policies_match(policies)
        ids: list[UUID] = list(FileRule.rows.filter(application=applications[0]).values_list("id", flat=True))
        leaving = data.draw(st.sets(st.sampled_from(ids), min_size=1, max_size=len(ids) - 1))
        done = splitting.split_application(
            reach, able_moose.id, applications[0].id, name="Split off", rule_ids=list(leaving)
        )
        assert done.unchanged
        assert policies_match(policies) == decided
        assert set(FileRule.rows.filter(application=done.application).values_list("id", flat=True)) == leaving
        halves = matched([applications[0], done.application])
        assert sorted({n for of in halves.values() for n in of}) == matches[str(applications[0].id)]
        undoing.undo(reach, done.step.id)
        assert everything() == before
        assert matched(applications) == matches
        assert policies_match(policies) == decided


@examples
@given(lists=st.lists(rule_list, min_size=1, max_size=3), how=st.sampled_from(("replace", "beside")))
def test_a_certificate_rolled_over_is_taken_back_to_the_row(
    reach: Reach, able_moose: Organization, scopes: list[Scope], lists: Any, how: certificates.How
) -> None:
    with forgotten():
        lists = [*lists, [RuleDraft(path=r"c:\acme\*", certificate=OLD)]]
        applications, _ = made(reach, able_moose, scopes, lists, [{0}, {1}])
        before, matches = everything(), matched(applications)
        step = certificates.replace_certificate(reach, able_moose.id, old=OLD, new=NEW, how=how)
        after = matched(applications)
        if how == "beside":
            assert all(set(matches[key]) <= set(after[key]) for key in matches)
        else:
            assert not FileRule.rows.filter(certificate__iexact=OLD).exists()
        renamed = {n for n, facts in enumerate(FACTS) if facts.certificates == (OLD.lower(),)}
        assert len(renamed) == len(FACTS) / 3
        twins = {n: n + 2 for n in renamed}  # the same facts with the new signer, by the order of FACTS
        for key, of in matches.items():
            assert {twins[n] for n in of if n in renamed} <= set(after[key])
        undoing.undo(reach, step.id)
        assert everything() == before
        assert matched(applications) == matches


def test_a_step_is_not_taken_back_once_something_else_was_changed(
    reach: Reach, able_moose: Organization, scopes: list[Scope], fin_01: Computer
) -> None:
    applications, policies = made(
        reach, able_moose, scopes, [[RuleDraft(path=r"c:\a\*")], [RuleDraft(path=r"c:\b\*")]], [{0}]
    )
    ids = [application.id for application in applications]
    step = merging.merge_applications(reach, able_moose.id, ids, survivor=ids[0])
    FileRule.rows.filter(application=ids[0], position=1).update(path=r"c:\changed\*")
    with pytest.raises(Conflict, match="changed since"):
        undoing.undo(reach, step.id)
    assert not Application.rows.filter(id=ids[1]).exists()
    assert policies[0].name == "policy 0"
