"""Match counts: written by the fold once, believed only where they can be true, read only within reach."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection

from agents.protocol.messages import EventDecision
from audit import fold, retention
from policies import match_counts
from policies.match_counts import Matches
from policies.models import Action, Application, FileRule, Level, MatchCount, Policy
from portal.accounts.models import User
from portal.common import clock
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit.sending import event, send

pytestmark = pytest.mark.django_db
TODAY = clock.now().replace(hour=12) - timedelta(days=1)


@pytest.fixture
def fin_01(able_moose: Organization) -> Computer:
    return factories.computer(factories.group(able_moose, "Finance"), "FIN-LT-01")


@pytest.fixture
def dental(brisk_otter: Organization) -> Computer:
    return factories.computer(factories.group(brisk_otter, "Surgery"), "SUR-01")


@pytest.fixture
def acme(able_moose: Organization) -> FileRule:
    """The only rule of the application Acme Tools of Able Moose."""
    application = Application.objects.within(factories.SYSTEM).create(organization=able_moose, name="Acme Tools")
    return FileRule.objects.within(factories.SYSTEM).create(
        organization=able_moose, application=application, position=1, path=r"c:\acme\*"
    )


def a_policy(of: Organization, *, level: Level = Level.ORGANIZATION, order: int = 100_001) -> Policy:
    return Policy.objects.within(factories.SYSTEM).create(
        organization=of, level=level, target_organization=of, name="org-acme", action=Action.PERMIT, order=order
    )


def by(policy: object, application: object = "", rule: object = "") -> EventDecision:
    """A decision by `policy`, as an endpoint tells it."""
    return EventDecision(
        action="permit", effect="permitted", policy=str(policy), application=str(application), rule=str(rule)
    )


def folded(computer: Computer, *decisions: EventDecision, batch: int = 1, days_ago: int = 0) -> None:
    events = [event(number, decision=decision) for number, decision in enumerate(decisions, 1)]
    send(computer, *events, batch=batch, received_at=TODAY - timedelta(days=days_ago))
    fold.fold(factories.SYSTEM)


def counts() -> list[tuple[UUID, UUID, UUID | None, UUID | None, int]]:
    rows = MatchCount.objects.within(factories.SYSTEM).order_by("day", "count")
    return list(rows.values_list("organization_id", "policy", "application", "rule", "count"))


def test_the_fold_counts_a_batch_once(fin_01: Computer, acme: FileRule) -> None:
    policy = a_policy(fin_01.organization)
    folded(fin_01, by(policy.id, acme.application_id, acme.id), by(policy.id, acme.application_id, acme.id), batch=1)
    folded(fin_01, by(policy.id, acme.application_id, acme.id), batch=2)
    fold.fold(factories.SYSTEM)
    assert counts() == [(fin_01.organization_id, policy.id, acme.application_id, acme.id, 3)]
    expected = Matches(3, TODAY)
    assert match_counts.of_policies(factories.SYSTEM, [policy.id, uuid4()]) == {policy.id: expected}
    assert match_counts.of_rules(factories.SYSTEM, [acme.id]) == {acme.id: expected}
    assert match_counts.of_applications(factories.SYSTEM, [acme.application_id]) == {acme.application_id: expected}


def test_days_are_counted_apart_and_old_ones_are_not_in_the_window(fin_01: Computer) -> None:
    policy = a_policy(fin_01.organization)
    for batch, days_ago in enumerate((0, 3, 40), 1):
        folded(fin_01, by(policy.id), batch=batch, days_ago=days_ago)
    assert [row[-1] for row in counts()] == [1, 1, 1]
    assert match_counts.of_policies(factories.SYSTEM, [policy.id])[policy.id].count == 2
    assert match_counts.of_policies(factories.SYSTEM, [policy.id], days=3)[policy.id].count == 1
    assert match_counts.of_policies(factories.SYSTEM, [policy.id], days=90)[policy.id].count == 3


def test_a_default_counts_without_application_and_rule(fin_01: Computer) -> None:
    default = Policy.objects.within(factories.SYSTEM).get(target_group=fin_01.group, is_default=True)
    folded(fin_01, by(default.id), by(default.id))
    assert counts() == [(fin_01.organization_id, default.id, None, None, 2)]


def test_a_computer_counts_nothing_for_a_policy_that_cannot_apply_to_it(
    dental: Computer, able_moose: Organization
) -> None:
    foreign = a_policy(able_moose)
    above = a_policy(able_moose.parent or able_moose, order=100_101)  # the provider's own, not global
    folded(dental, by(foreign.id), by(above.id), by(uuid4()))
    assert counts() == []
    assert not Policy.objects.within(factories.SYSTEM).filter(last_matched_at__isnull=False).exists()


def test_a_global_policy_above_counts_in_the_organization_that_saw_it(
    dental: Computer, northwind: Organization
) -> None:
    everywhere = a_policy(northwind, level=Level.GLOBAL)
    folded(dental, by(everywhere.id))
    assert counts() == [(dental.organization_id, everywhere.id, None, None, 1)]
    everywhere.refresh_from_db()
    assert everywhere.last_matched_at == TODAY


def test_an_application_or_rule_that_cannot_be_meant_is_left_out(dental: Computer, acme: FileRule) -> None:
    policy = a_policy(dental.organization)
    own = Application.objects.within(factories.SYSTEM).create(organization=dental.organization, name="Own")
    folded(dental, by(policy.id, acme.application_id, acme.id), by(policy.id, own.id, acme.id))
    assert set(counts()) == {
        (dental.organization_id, policy.id, None, None, 1),
        (dental.organization_id, policy.id, own.id, None, 1),
    }


@pytest.mark.parametrize(
    "text", ["-" * 36, "0" * 36, "a-" * 18, "'; DROP TABLE x --", "\x00", "ACB1" + "0" * 32, "", "ﬀ" * 36]
)
def test_words_that_are_no_ids_stop_nothing_and_count_nothing(fin_01: Computer, text: str) -> None:
    policy = a_policy(fin_01.organization)
    folded(fin_01, by(text), by(policy.id, text, text))
    assert counts() == [(fin_01.organization_id, policy.id, None, None, 1)]


def test_only_organizations_in_reach_count(
    fin_01: Computer, dental: Computer, northwind: Organization, technician: User, stranger: User, owner: User
) -> None:
    everywhere = a_policy(northwind, level=Level.GLOBAL)
    folded(fin_01, by(everywhere.id))
    folded(dental, by(everywhere.id), by(everywhere.id), batch=2)
    seen = {}
    for person in (technician, stranger, owner):
        with reaching(factories.reach(person)) as reach:
            seen[person.name] = match_counts.of_policies(reach, [everywhere.id])[everywhere.id].count
    assert seen == {"Tom Technician": 1, "Sam Stranger": 2, "Olive Owner": 3}


def test_the_second_wall_hides_counts_of_others(fin_01: Computer, technician: User, stranger: User) -> None:
    folded(fin_01, by(a_policy(fin_01.organization).id))
    seen = [_all_rows(factories.reach(person)) for person in (technician, stranger)]
    assert seen == [1, 0]


def _all_rows(reach: Reach) -> int:
    with reaching(reach), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM policies_matchcount")
        return int(cursor.fetchone()[0])


def test_retention_forgets_counts_after_four_hundred_days(fin_01: Computer) -> None:
    policy = a_policy(fin_01.organization)
    today = clock.now().date()
    for days_ago in (399, 401):
        MatchCount.objects.within(factories.SYSTEM).create(
            organization=fin_01.organization,
            day=today - timedelta(days=days_ago),
            policy=policy.id,
            count=1,
            last_at=clock.now(),
        )
    retention.keep_days(factories.SYSTEM)
    left = MatchCount.objects.within(factories.SYSTEM).values_list("day", flat=True)
    assert list(left) == [today - timedelta(days=399)]


def test_one_statement_counts_any_number_of_policies(fin_01: Computer, django_assert_num_queries: object) -> None:
    policies = [a_policy(fin_01.organization, order=100_001 + number) for number in range(5)]
    folded(fin_01, *(by(policy.id) for policy in policies))
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(match_counts.of_policies(factories.SYSTEM, [policy.id for policy in policies])) == 5
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert match_counts.of_rules(factories.SYSTEM, []) == {}
