"""Many customers and many hands: bounded statements, workers that share the work, locks that never cross."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from policies import authoring, queries
from policies.baselines import drift, exempting, lifecycle, previewing, publishing, reading
from policies.baselines.lifecycle import Place
from policies.drafts import draft_of
from policies.models import Application, Baseline, Policy, Subscription
from portal.common import queue
from portal.tenants import journal
from portal.tenants.models import Entry, Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group, at_organization
from tests.policies.test_two_at_once import at_once

SYSTEM = factories.SYSTEM


@pytest.fixture
def wakes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The wake-ups that were sent, which nobody hears."""
    sent: list[str] = []
    monkeypatch.setattr(queue, "after_commit", lambda name, **ids: sent.append(name))
    return sent


def a_baseline(msp: Organization, policies: int) -> Baseline:
    made = lifecycle.create_baseline(SYSTEM, organization_id=msp.id, name="Workstations", os="windows")
    application = an_application(SYSTEM, msp, "Zoom")
    for number in range(policies):
        a_policy(SYSTEM, at_group(made.source_group), application, name=f"org-{number:02}")
    return made


def customers(msp: Organization, count: int) -> list[Place]:
    return [Place(factories.organization(f"Customer {number:03}", msp).id) for number in range(count)]


def touch_all(baseline: Baseline) -> None:
    """Every policy of the template says something new."""
    Policy.rows.filter(target_group=baseline.source_group_id).update(description="new words")


def statements(work: object) -> int:
    with CaptureQueriesContext(connection) as seen:
        work()  # type: ignore[operator]
    return len(seen)


def test_carrying_takes_as_many_statements_for_twenty_policies_as_for_two(northwind: Organization) -> None:
    counts = []
    for policies in (2, 20):
        msp = factories.organization(f"MSP {policies}", northwind)
        baseline = a_baseline(msp, policies)
        place = Place(factories.organization(f"Customer of {policies}", msp).id)
        first = statements(lambda b=baseline, p=place: lifecycle.follow(SYSTEM, b.id, places=[p]))
        touch_all(baseline)
        counts.append((first, statements(lambda b=baseline: publishing.carry(SYSTEM, b.id))))
    assert counts[0] == counts[1]


def test_looking_takes_as_many_statements_for_twelve_customers_as_for_two(northwind: Organization) -> None:
    counts = []
    for number in (2, 12):
        msp = factories.organization(f"MSP {number}", northwind)
        baseline = a_baseline(msp, 3)
        places = [Place(factories.organization(f"Customer {number} {n}", msp).id) for n in range(number)]
        lifecycle.follow(SYSTEM, baseline.id, places=places)
        touch_all(baseline)
        baseline = reading.baseline(SYSTEM, baseline.id)
        looked = statements(lambda b=baseline: drift.drift(SYSTEM, b))
        counts.append((looked, statements(lambda b=baseline: previewing.preview(SYSTEM, b))))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 16


def test_two_hundred_customers_of_twenty_policies_are_left_to_a_worker(
    northwind: Organization, wakes: list[str]
) -> None:
    baseline = a_baseline(northwind, 20)
    places = customers(northwind, 200)
    asked = statements(lambda: lifecycle.follow(SYSTEM, baseline.id, places=places))
    assert wakes == ["policies.carry_baseline"]
    assert asked < 100, "the person who asks does not wait for two hundred customers"
    assert reading.waiting(SYSTEM, baseline.id).count() == 200
    one = statements(lambda: publishing.carry_waiting(baseline.id, most=1))
    four = statements(lambda: publishing.carry_waiting(baseline.id, most=4))
    assert four == 4 * one
    assert publishing.carry_waiting(baseline.id, most=15) == 15
    assert reading.waiting(SYSTEM, baseline.id).count() == 180
    shown = drift.drift(SYSTEM, reading.baseline(SYSTEM, baseline.id))
    assert shown.counts == {"in_step": 20 * 20, "not_carried": 180 * 20}


def test_a_customer_without_room_says_so_and_holds_up_no_other(northwind: Organization, wakes: list[str]) -> None:
    baseline = a_baseline(northwind, 2)
    full, fine = customers(northwind, 2)
    lifecycle.follow(SYSTEM, baseline.id, places=[full, fine])
    last = Policy.rows.filter(target_group=baseline.source_group_id).order_by("order").last()
    assert last is not None
    Policy.rows.filter(id=last.id).update(order=999_999)
    own = an_application(SYSTEM, Organization.rows.get(id=full.organization_id), "Own")
    blocker = _org_policy(full, own)
    Policy.rows.filter(id=blocker.id).update(order=999_999)
    carried = publishing.carry(SYSTEM, baseline.id)
    assert [why for _, why in carried.faults] == [
        f"There is no free number for {last.name} in this list: renumber it, or move the baseline's policies up."
    ]
    versions = dict(Subscription.rows.values_list("organization_id", "version"))
    assert versions == {full.organization_id: 1, fine.organization_id: 2}
    assert reading.waiting(SYSTEM, baseline.id).count() == 0, "it is not tried again until somebody has looked"


def _org_policy(place: Place, application: Application) -> Policy:
    organization = Organization.rows.get(id=place.organization_id)
    return a_policy(SYSTEM, at_organization(organization), application)


def prepared(followers: int) -> tuple[Baseline, list[Subscription], list[Policy]]:
    with reaching(SYSTEM):
        msp = factories.organization("Northwind IT")
        baseline = a_baseline(msp, 4)
        lifecycle.follow(SYSTEM, baseline.id, places=customers(msp, followers))
        rows = list(Subscription.rows.filter(baseline=baseline).order_by("id"))
        return baseline, rows, list(Policy.rows.filter(target_group=baseline.source_group_id).order_by("order"))


def edit(policy: Policy, words: str) -> None:
    draft = draft_of(policy, queries.application_ids(SYSTEM, policy.id))
    authoring.update_policy(SYSTEM, policy.id, draft=replace(draft, description=words))


def test_edits_carrying_exceptions_and_customers_own_writes_at_the_same_moment_end_in_step(committed: None) -> None:
    baseline, subscriptions, sources = prepared(3)
    with reaching(SYSTEM):
        own = [an_application(SYSTEM, Organization.rows.get(id=s.organization_id), "Own") for s in subscriptions]
    day = reading.today() + timedelta(days=30)
    works = [
        lambda: publishing.carry(SYSTEM, baseline.id),
        lambda: publishing.carry(SYSTEM, baseline.id, subscription_ids=[subscriptions[2].id, subscriptions[0].id]),
        lambda: edit(sources[0], "one"),
        lambda: edit(sources[1], "two"),
        lambda: exempting.make_exception(
            SYSTEM, subscriptions[1].id, sources[2].id, kind="without", reason="x", review_on=day
        ),
        lambda: _org_policy(Place(subscriptions[0].organization_id), own[0]),
        lambda: _org_policy(Place(subscriptions[2].organization_id), own[2]),
    ]
    assert at_once(*works) == []
    with reaching(SYSTEM):
        publishing.carry(SYSTEM, baseline.id)
        shown = drift.drift(SYSTEM, reading.baseline(SYSTEM, baseline.id))
        assert shown.counts == {"in_step": 11, "exception": 1}
        for subscription in subscriptions:
            assert journal.verify(SYSTEM, subscription.organization_id).first_bad is None


def test_two_workers_share_what_waits_and_do_nothing_twice(committed: None, wakes: list[str]) -> None:
    baseline, subscriptions, _ = prepared(4)
    with reaching(SYSTEM):
        touch_all(baseline)
        found = reading.baseline(SYSTEM, baseline.id)
        carried = publishing.Carried(found, publishing.publish(SYSTEM, found))
        publishing.leave_to_worker(SYSTEM, carried, subscriptions)
    works = [lambda: publishing.carry_waiting(baseline.id), lambda: publishing.carry_waiting()]
    assert at_once(*works) == []
    with reaching(SYSTEM):
        assert set(Subscription.rows.values_list("version", flat=True)) == {2}
        for subscription in subscriptions:
            told = journal_verbs(subscription)
            assert told.count("baseline.carried") == 2, "once when it began to follow, once now"


def journal_verbs(subscription: Subscription) -> list[str]:
    return list(Entry.rows.filter(organization_id=subscription.organization_id).values_list("verb", flat=True))
