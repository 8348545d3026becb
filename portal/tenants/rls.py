"""Row-level security: migration operations that put a table behind the second wall, and the catalogue that proves it.

Policies compare with variables that are evaluated once a statement (`(SELECT …)`, an InitPlan), so index
conditions survive (measured in the design's audit_performance, form 2). An unset variable is no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations import RunSQL

_Statement = str | tuple[str, dict[str, Any] | list[Any] | tuple[Any, ...] | tuple[()] | None]
_EVERYTHING = "(SELECT current_setting('portcullis.everything', true)) = 'on'"
# The text becomes an array inside the SELECT, once a statement. Outside it would be read anew for every row: with fifty
# organizations in reach that was twenty times the cost of the row itself.
_OWN = "((SELECT nullif(current_setting('portcullis.organizations', true), '')::uuid[])::uuid[])"
_ABOVE = "((SELECT nullif(current_setting('portcullis.ancestors', true), '')::uuid[])::uuid[])"
_NUMBERS = "((SELECT nullif(current_setting('portcullis.numbers', true), '')::bigint[])::bigint[])"


def _policies(
    table: str, *, column: str, shared_down: str | None, null_is_public: bool, own_also: str, by_number: bool
) -> list[str]:
    own = f"{column} = ANY ({_NUMBERS if by_number else _OWN})"
    if own_also:
        own = f"({own} OR {own_also.format(own=_OWN)})"
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY own ON {table} USING ({_EVERYTHING} OR {own}) WITH CHECK ({_EVERYTHING} OR {own})",
    ]
    if shared_down is not None:
        statements.append(
            f"CREATE POLICY shared ON {table} FOR SELECT USING ({column} = ANY ({_ABOVE}) AND ({shared_down}))"
        )
    if null_is_public:
        statements.append(f"CREATE POLICY public ON {table} FOR SELECT USING ({column} IS NULL)")
    return statements


def _append_only(table: str) -> list[str]:
    role = settings.DATABASES["default"]["USER"]
    return [
        f'REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM "{role}"',
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION portcullis_append_only()",
        f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION portcullis_append_only()",
    ]


class Protect(RunSQL):
    """Migration operation: put `table` behind row-level security.

    `column`: the tenant column. `shared_down`: SQL condition of the rows that organizations beneath may read.
    `null_is_public`: rows without an organization are readable by all. `own_also`: one more way of being one's own
    (`{own}` is the array of organizations in reach). `by_number`: the column holds organization numbers.
    `append_only`: nobody changes or deletes a row, the owner included.
    """

    def __init__(
        self,
        table: str,
        *,
        column: str = "organization_id",
        shared_down: str | None = None,
        null_is_public: bool = False,
        own_also: str = "",
        by_number: bool = False,
        append_only: bool = False,
    ) -> None:
        statements = _policies(
            table,
            column=column,
            shared_down=shared_down,
            null_is_public=null_is_public,
            own_also=own_also,
            by_number=by_number,
        )
        if append_only:
            statements += _append_only(table)
        super().__init__(list[_Statement](statements), reverse_sql=f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def protect_partition_sql(partition: str, *, column: str = "organization_number") -> list[str]:
    """The statements that put one partition behind the same wall (a policy on the parent does not cover
    a partition that is queried by its own name)."""
    return _policies(partition, column=column, shared_down=None, null_is_public=False, own_also="", by_number=True)


@dataclass(frozen=True, slots=True)
class Unprotected:
    """A table with a tenant column that the second wall does not cover, and what is missing."""

    table: str
    reason: str


def unprotected_tables() -> list[Unprotected]:
    """Tables and partitions with a tenant column that lack enabled and forced security or a policy. Sorted by name."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                   EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                AND a.attname IN ('organization_id', 'organization_number', 'computer_id', 'computer_number'))
            ORDER BY c.relname
            """
        )
        found = []
        for table, enabled, forced, has_policy in cursor.fetchall():
            missing = [
                word for word, there in (("ENABLE", enabled), ("FORCE", forced), ("a policy", has_policy)) if not there
            ]
            if missing:
                found.append(Unprotected(table, "lacks " + ", ".join(missing)))
    return found


def role_faults() -> list[str]:
    """Why the role of this connection could see past the wall. Empty = it cannot."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolbypassrls,"
            " (SELECT count(*) FROM pg_class WHERE relowner = r.oid AND relkind IN ('r', 'p')"
            " AND relpersistence <> 't')"
            " FROM pg_roles r WHERE rolname = current_user"
        )
        superuser, bypass, owned = cursor.fetchone()
    faults = []
    if superuser:
        faults.append("it is a superuser")
    if bypass:
        faults.append("it has BYPASSRLS")
    if owned:
        faults.append(f"it owns {owned} tables")
    return faults
