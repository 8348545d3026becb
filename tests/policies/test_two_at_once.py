"""Two people at once: the organization's row makes their writes one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections

from policies import authoring, placing
from policies.models import Policy
from portal.tenants import journal
from portal.tenants.models import ComputerGroup
from portal.tenants.scoping import reaching
from tests import factories
from tests.policies.conftest import a_policy, an_application, at_group

SYSTEM = factories.SYSTEM


def at_once(*works: Callable[[], object]) -> list[BaseException]:
    """Run each in a thread and a transaction of its own, all let go together; what they raised."""
    gate, raised = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        try:
            gate.wait()
            with reaching(SYSTEM):
                work()
        except BaseException as error:  # noqa: BLE001 - a thread's fault is the test's to judge
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return raised


def prepared() -> tuple[ComputerGroup, Policy, Policy]:
    with reaching(SYSTEM):
        moose = factories.organization("Able Moose Accounting", factories.organization("Northwind IT"))
        finance = factories.group(moose, "Finance")
        tools = an_application(SYSTEM, moose, "Tools")
        return finance, a_policy(SYSTEM, at_group(finance), tools), a_policy(SYSTEM, at_group(finance), tools)


def test_policies_added_at_the_same_moment_get_numbers_of_their_own(committed: None) -> None:
    finance, first, _ = prepared()
    with reaching(SYSTEM):
        tools = first.named_applications[0]
    places = (
        placing.BOTTOM,
        placing.TOP,
        placing.BOTTOM,
        placing.TOP,
        placing.after(first.id),
        placing.after(first.id),
    )
    works = [lambda place=place: a_policy(SYSTEM, at_group(finance), tools, place=place) for place in places]
    assert at_once(*works) == []
    with reaching(SYSTEM):
        orders = list(Policy.rows.filter(target_group=finance, is_default=False).values_list("order", flat=True))
        assert len(orders) == len(set(orders)) == 8
        assert journal.verify(SYSTEM, finance.organization_id).first_bad is None


def test_policies_moved_past_each_other_at_the_same_moment_both_keep_a_place(committed: None) -> None:
    finance, first, second = prepared()
    works = [
        lambda: authoring.move_policy(SYSTEM, first.id, place=placing.after(second.id)),
        lambda: authoring.move_policy(SYSTEM, second.id, place=placing.before(first.id)),
        lambda: authoring.move_policy(SYSTEM, second.id, place=placing.TOP),
        lambda: authoring.set_enabled(SYSTEM, first.id, enabled=False),
    ]
    assert at_once(*works) == []
    with reaching(SYSTEM):
        ordered = Policy.rows.filter(target_group=finance, is_default=False).order_by("order")
        assert [policy.id for policy in ordered] == [second.id, first.id]
        assert Policy.rows.get(id=first.id).enabled is False
