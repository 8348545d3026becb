"""The two walls between tenants.

First wall: `Model.objects` refuses to answer until it is told a reach (`.within(reach)`).
Second wall: `reaching(reach)` tells PostgreSQL the same reach, for the row-level security policies of
`portal.tenants.rls`. Outside of it the application's role sees no tenant's row at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar, Self, TypeVar

from django.db import connection, models, transaction
from django.db.models import Q, QuerySet

from portal.common.uuid7 import uuid7
from portal.tenants.reach import Reach

M = TypeVar("M", bound=models.Model)

_open: ContextVar[Reach | None] = ContextVar("portcullis_reach", default=None)


class Unscoped(RuntimeError):
    """Code asked for tenants' rows without saying whose. A programming error, never a person's."""


@contextmanager
def reaching(reach: Reach) -> Iterator[Reach]:
    """One transaction in which the database shows this reach's rows, and no others.

    Every request, task and command does its work inside one. The variables are local to the transaction
    (a session-level one leaks to the next user of a pooled connection). May be nested: the inner reach
    holds until its block ends.
    """
    outer = _open.get()
    with transaction.atomic():
        _tell_database(reach)
        mark = _open.set(reach)
        try:
            yield reach
        finally:
            _open.reset(mark)
    if outer is not None:  # after the block: one that was marked for rollback takes no statement any more
        _tell_database(outer)


def _tell_database(reach: Reach) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('portcullis.everything', %s, true), set_config('portcullis.organizations', %s, true),"
            " set_config('portcullis.ancestors', %s, true), set_config('portcullis.numbers', %s, true)",
            [
                "on" if reach.everything else "",
                _array(reach.organizations),
                _array(reach.ancestors),
                _array(reach.numbers.values()),
            ],
        )


def _array(values: Iterable[object]) -> str:
    """The text of a PostgreSQL array of ids or numbers."""
    return "{" + ",".join(map(str, values)) + "}"


class Scoped(models.Manager[M]):
    """The fail-closed manager: nothing is readable through it before `.within(reach)`."""

    def get_queryset(self) -> QuerySet[M]:
        raise Unscoped(f"{self.model.__name__}.objects needs .within(reach)")

    def within(self, reach: Reach) -> QuerySet[M]:
        """Rows of the organizations in reach, and the shared rows of those above."""
        return self._plain().filter(reach_condition(self.model, reach))

    def across_tenants(self, why: str) -> QuerySet[M]:
        """Rows of any tenant, as far as row-level security lets them through. `why` is for the reader."""
        if not why:
            raise Unscoped("across_tenants needs its reason")
        return self._plain()

    def _plain(self) -> QuerySet[M]:
        return QuerySet(model=self.model, using=self._db)


def reach_condition(model: type[models.Model], reach: Reach) -> Q:
    """The condition that keeps `model`'s rows to those the reach may read."""
    if reach.everything:
        return Q()
    column = getattr(model, "organization_path", "organization_id")
    condition = Q(**{f"{column}__in": reach.organizations})
    shared: Q | None = getattr(model, "shared_down", None)
    if shared is not None and reach.ancestors:
        condition |= Q(**{f"{column}__in": reach.ancestors}) & shared
    if getattr(model, "public_when_null", False):
        condition |= Q(**{f"{column}__isnull": True})
    return condition


class TenantModel(models.Model):
    """A row that belongs to one organization.

    Subclasses declare an `organization` foreign key. `shared_down`: which rows of an organization the ones
    beneath it may read. `public_when_null`: rows without an organization are the product's own, readable by all.
    `rows` is the plain manager that Django's own machinery needs; product code uses `objects`.
    """

    shared_down: ClassVar[Q | None] = None
    public_when_null: ClassVar[bool] = False
    organization_path: ClassVar[str] = "organization_id"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    rows: ClassVar[models.Manager[Self]] = models.Manager()
    objects: ClassVar[Scoped[Self]] = Scoped()

    class Meta:
        abstract = True
