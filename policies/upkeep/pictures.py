"""Rows of applications as they are at one moment, what changed between two moments, and putting it back exactly:
ids, positions, times and all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, models
from psycopg import sql

from policies.models import Application, FileRule, ModeWindow, PolicyApplication
from portal.common.errors import Conflict
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

Row = dict[str, Any]
Picture = dict[str, dict[str, Row]]
Difference = dict[str, dict[str, Any]]

# In the order in which rows may be made; each table with the column that says which application a row belongs to.
_TABLES: tuple[tuple[type[models.Model], str], ...] = (
    (Application, "id"),
    (FileRule, "application_id"),
    (PolicyApplication, "application_id"),
    (ModeWindow, "application_id"),
)
_WINDOWS = ModeWindow._meta.db_table
_MODELS = {model._meta.db_table: model for model, _ in _TABLES}
# What decides, beside which row is whose: only this must be as it was for a step to be taken back.
_TELLING = {
    "policies_application": ("name", "os"),
    "policies_filerule": ("application_id", "position", "hash", "path", "process", "created_by", "certificate"),
    "policies_policyapplication": ("application_id", "policy_id", "position"),
    "policies_modewindow": ("application_id",),
}


def picture(application_ids: Iterable[UUID]) -> Picture:
    """Table -> id -> row, of these applications, their rules, the policies' links and mode windows that name them.

    Reads as the system, links of organizations out of the caller's reach too: the caller has checked what it may do.
    """
    ids = list(application_ids)
    found: Picture = {}
    with reaching(system_reach("applications before and after tidying")), connection.cursor() as cursor:
        for model, column in _TABLES:
            table = model._meta.db_table
            statement = sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE t.{} = ANY(%s) ORDER BY t.id")
            cursor.execute(statement.format(sql.Identifier(table), sql.Identifier(column)), [ids])
            rows = [_loaded(row) for (row,) in cursor.fetchall()]
            found[table] = {row["id"]: row for row in rows}
    return found


def _loaded(value: Any) -> Row:
    row: Row = json.loads(value) if isinstance(value, str) else value
    return row


def digest(pictured: Picture) -> str:
    """A short text that changes whenever something that decides does."""
    told = {
        table: sorted([row["id"], *(row[name] for name in _TELLING[table])] for row in rows.values())
        for table, rows in pictured.items()
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]


def difference(before: Picture, after: Picture) -> Difference:
    """What putting `before` back takes: rows that are gone, rows as they were before they changed, ids of new ones."""
    found: Difference = {}
    for table in before:
        was, now = before[table], after[table]
        found[table] = {
            "gone": [row for key, row in was.items() if key not in now],
            "changed": [_changed(row, now[key]) for key, row in was.items() if key in now and now[key] != row],
            "new": [key for key in now if key not in was],
        }
    return found


def _changed(was: Row, now: Row) -> Row:
    """The columns that differ, as they were: what others change meanwhile in the rest stays."""
    return {"id": was["id"], **{name: value for name, value in was.items() if now[name] != value}}


def put_back(kept: Mapping[str, Mapping[str, Any]]) -> None:
    """Undo a difference in the caller's transaction and reach. Raises Conflict when a row cannot be put back.

    New rows go first (but applications), then gone applications come, then what changed, then the other gone rows.
    """
    tables = [model._meta.db_table for model, _ in _TABLES[:-1]]
    with connection.cursor() as cursor:
        for table in reversed(tables[1:]):
            _delete(cursor, table, kept[table]["new"])
        _insert(cursor, tables[0], kept[tables[0]]["gone"])
        for table in tables:
            _update(cursor, table, kept[table]["changed"])
        for table in tables[1:]:
            _insert(cursor, table, kept[table]["gone"])
        with reaching(system_reach("mode windows go on naming what they were about")):
            _update(cursor, _WINDOWS, kept[_WINDOWS]["changed"])
        _delete(cursor, tables[0], kept[tables[0]]["new"])


def _delete(cursor: Any, table: str, ids: Sequence[str]) -> None:
    if ids:
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE id = ANY(%s)").format(sql.Identifier(table)), [list(map(UUID, ids))]
        )
        _check(cursor.rowcount, len(ids))


def _insert(cursor: Any, table: str, rows: Sequence[Row]) -> None:
    if rows:
        columns = _columns(table)
        statement = sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM jsonb_populate_recordset(NULL::{0}, %s::jsonb)")
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        cursor.execute(statement.format(sql.Identifier(table), names), [_text(table, rows)])
        _check(cursor.rowcount, len(rows))


def _update(cursor: Any, table: str, rows: Sequence[Row]) -> None:
    """All rows that differ in the same columns in one statement: positions are checked at its end."""
    alike: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        alike.setdefault(tuple(sorted(set(row) - {"id"})), []).append(row)
    statement = sql.SQL("UPDATE {0} SET {1} FROM jsonb_populate_recordset(NULL::{0}, %s::jsonb) n WHERE {0}.id = n.id")
    for columns, some in alike.items():
        pairs = sql.SQL(", ").join(sql.SQL("{0} = n.{0}").format(sql.Identifier(name)) for name in columns)
        cursor.execute(statement.format(sql.Identifier(table), pairs), [json.dumps(some)])
        _check(cursor.rowcount, len(some))


def _check(done: int, wanted: int) -> None:
    if done != wanted:
        raise Conflict("Some of what this step touched is gone or out of your reach: it cannot be taken back.")


def _columns(table: str) -> list[str]:
    return [str(field.column) for field in _MODELS[table]._meta.concrete_fields]


def _text(table: str, rows: Sequence[Row]) -> str:
    """The rows as JSON; a column that was made since the rows were kept gets its default."""
    fields = _MODELS[table]._meta.concrete_fields
    defaults = {str(f.column): f.get_default() for f in fields if f.has_default()}
    return json.dumps([{**_missing(row, defaults), **row} for row in rows], default=str)


def _missing(row: Row, defaults: Mapping[str, Any]) -> Row:
    return {column: value for column, value in defaults.items() if column not in row}
