"""Tenancy: each wall holds with the other one taken away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from portal.accounts.models import Membership, Role, User
from portal.accounts.reaches import reach_of_user
from portal.common.errors import Forbidden, NotFound
from portal.tenants import journal, queries, rls
from portal.tenants.capabilities import Capability
from portal.tenants.models import ComputerGroup, Entry, Organization
from portal.tenants.reach import NOTHING
from portal.tenants.scoping import Unscoped, reaching
from tests import factories


def test_a_query_without_a_reach_is_refused() -> None:
    for ask in ("all", "first", "count", "exists", "get", "create"):
        with pytest.raises(Unscoped):
            getattr(Organization.objects, ask)()


def test_the_first_wall_hides_other_customers(
    technician: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    reach = reach_of_user(technician)
    assert set(Organization.objects.within(reach)) == {able_moose, able_moose.parent}
    assert not reach.sees(brisk_otter.id)
    with pytest.raises(NotFound):
        reach.require(Capability.POLICY_READ, brisk_otter.id)


def test_what_concerns_a_whole_tree_is_told_at_its_top_by_one_statement(
    owner: User, technician: User, northwind: Organization, able_moose: Organization, brisk_otter: Organization,
    django_assert_num_queries: Callable[[int], AbstractContextManager[None]],
) -> None:  # fmt: skip
    below = factories.organization("Able Moose Branch", able_moose)
    Membership.rows.create(organization=brisk_otter, user=technician, role=Role.CUSTOMER_READER)
    everything, some = reach_of_user(owner), reach_of_user(technician)
    assert some.sees(below.id)
    with reaching(some), django_assert_num_queries(1):
        assert queries.topmost(some, Capability.POLICY_READ) == sorted([able_moose.id, brisk_otter.id])
    with reaching(some):
        assert queries.topmost(some, Capability.POLICY_WRITE) == [able_moose.id]
    with reaching(everything):
        assert queries.topmost(everything, Capability.POLICY_READ) == [northwind.id]


def test_a_parent_is_readable_where_it_shares_and_nowhere_else(technician: User, northwind: Organization) -> None:
    own = factories.group(northwind, "Northwind's own")
    shared = factories.group(northwind, "All Windows", is_global=True)
    visible = set(ComputerGroup.objects.within(reach_of_user(technician)))
    assert shared in visible
    assert own not in visible


def test_the_second_wall_holds_without_the_first(
    technician: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    mine, theirs = factories.group(able_moose, "Finance"), factories.group(brisk_otter, "Front desk")
    with reaching(reach_of_user(technician)):
        unfiltered = set(ComputerGroup.rows.all())
        assert mine in unfiltered
        assert theirs not in unfiltered
        assert ComputerGroup.rows.filter(pk=theirs.pk).update(name="taken") == 0
        assert Membership.rows.filter(organization=brisk_otter).count() == 0


def test_a_row_cannot_be_written_into_another_tenant(technician: User, brisk_otter: Organization) -> None:
    with (
        reaching(reach_of_user(technician)),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        ComputerGroup.rows.create(organization=brisk_otter, name="planted", slug="planted")


def test_nobody_in_particular_sees_nothing(able_moose: Organization) -> None:
    with reaching(NOTHING):
        assert Organization.rows.count() == 0


def test_the_reach_ends_with_its_block(technician: User, brisk_otter: Organization) -> None:
    with reaching(reach_of_user(technician)):
        assert not Organization.rows.filter(pk=brisk_otter.pk).exists()
    assert Organization.rows.filter(pk=brisk_otter.pk).exists()


def test_an_error_inside_gives_the_outer_reach_back(technician: User, brisk_otter: Organization) -> None:
    with pytest.raises(Forbidden), reaching(reach_of_user(technician)):
        raise Forbidden(Capability.GLOBAL_WRITE)
    assert Organization.rows.filter(pk=brisk_otter.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_reused_connection_forgets_the_reach() -> None:
    with reaching(factories.SYSTEM):
        factories.organization("Northwind IT")
        assert Organization.rows.count() == 1
    assert Organization.rows.count() == 0
    with reaching(NOTHING):
        assert Organization.rows.count() == 0


def test_every_table_with_a_tenant_stands_behind_the_wall(db: None) -> None:
    assert rls.unprotected_tables() == []


def test_an_unprotected_table_would_be_found(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE scratch (organization_id uuid)")
        cursor.execute(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'scratch'::regclass AND attname = 'organization_id'"
        )
        assert cursor.fetchone() == (1,)


def test_the_applications_role_cannot_see_past_the_wall(db: None) -> None:
    assert rls.role_faults() == []


def test_the_application_cannot_make_or_empty_tables(db: None) -> None:
    for statement in (
        "CREATE TABLE mine (id int)",
        "TRUNCATE tenants_organization",
        "ALTER TABLE tenants_entry DISABLE ROW LEVEL SECURITY",
    ):
        with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_journal_is_a_chain_that_shows_a_gap(able_moose: Organization) -> None:
    for number in range(4):
        journal.record(
            factories.SYSTEM, "organization.changed", able_moose, organization_id=able_moose.id, after={"n": number}
        )
    assert journal.verify(factories.SYSTEM, able_moose.id) == journal.Verification(
        4, None, journal.verify(factories.SYSTEM, able_moose.id).head
    )
    entry = Entry.rows.get(organization_id=able_moose.id, sequence=3)
    entry.id, entry.sequence, entry.after = factories.organization("x").id, 6, {"n": 99}
    entry.save(force_insert=True)
    assert journal.verify(factories.SYSTEM, able_moose.id).first_bad == 5


def test_the_journal_cannot_be_rewritten(able_moose: Organization) -> None:
    journal.record(factories.SYSTEM, "organization.changed", able_moose, organization_id=able_moose.id)
    for change in (lambda: Entry.rows.update(verb="nothing.happened"), lambda: Entry.rows.all().delete()):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_two_writers_cannot_fork_the_chain() -> None:
    with reaching(factories.SYSTEM):
        organization = factories.organization("Northwind IT")

    def write() -> None:
        try:
            for _ in range(10):
                with reaching(factories.SYSTEM):
                    journal.record(
                        factories.SYSTEM, "organization.changed", organization, organization_id=organization.id
                    )
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reaching(factories.SYSTEM):
        found = journal.verify(factories.SYSTEM, organization.id)
    assert (found.checked, found.first_bad) == (40, None)
