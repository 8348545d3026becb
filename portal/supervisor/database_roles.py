"""The two database roles and the database: the only statements that need a superuser.

The owner migrates; the application's role has row-level security and cannot bypass it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

import psycopg
from psycopg import sql

from portal.supervisor.errors import StartRefused

OWNER = "portcullis_owner"
APPLICATION = "portcullis_app"
DATABASE = "portcullis"
EXTENSIONS = ("pg_trgm", "btree_gin", "btree_gist")
NEVER_BEYOND = sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """What an address like postgresql://user:password@host:port/name says about its role and database."""

    user: str
    password: str
    database: str

    @classmethod
    def parse(cls, url: str) -> DatabaseAddress:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        user = parts.username or query.get("user", [""])[-1]
        found = cls(unquote(user), unquote(parts.password or ""), unquote(parts.path.lstrip("/")))
        if not (found.user and found.database):
            raise StartRefused("A database address must name its user and its database.")
        return found


def socket_url(user: str, password: str, sockets: str) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@/{DATABASE}?host={quote(sockets, safe='/')}"


def prepare_database(admin: str, owner_url: str, application_url: str, *, templates: bool = False) -> None:
    """Make roles, database, extensions and default rights; safe to repeat. Passwords follow the addresses.

    `admin` is a superuser's address. With `templates` databases made later (by the test runner) get the same.
    Raises StartRefused when the server refuses, or both addresses name one role: the second wall would be gone.
    """
    owner, application = DatabaseAddress.parse(owner_url), DatabaseAddress.parse(application_url)
    if owner.user == application.user:
        raise StartRefused("DATABASE_URL and DATABASE_OWNER_URL must name two different roles.")
    try:
        with psycopg.connect(admin, autocommit=True) as connection:
            _ensure_role(connection, owner, sql.SQL("CREATEDB"))
            _ensure_role(connection, application, sql.SQL("NOCREATEDB"))
            if templates:
                _prepare_inside(admin, "template1", owner.user, application.user)
            _ensure_database(connection, owner)
        _prepare_inside(admin, owner.database, owner.user, application.user)
    except psycopg.OperationalError as reason:
        raise StartRefused(f"The database server does not let us in: {reason}") from None


def _ensure_role(connection: psycopg.Connection, address: DatabaseAddress, right: sql.SQL) -> None:
    name = sql.Identifier(address.user)
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (address.user,)).fetchone()
    if not known:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    password = sql.Literal(address.password)
    connection.execute(sql.SQL("ALTER ROLE {} {} {} PASSWORD {}").format(name, NEVER_BEYOND, right, password))


def _ensure_database(connection: psycopg.Connection, owner: DatabaseAddress) -> None:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (owner.database,)).fetchone()
    if not known:
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(statement.format(sql.Identifier(owner.database), sql.Identifier(owner.user)))


def _prepare_inside(admin: str, database: str, owner: str, application: str) -> None:
    names = {"owner": sql.Identifier(owner), "application": sql.Identifier(application)}
    rights = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT "
    with psycopg.connect(admin, dbname=database, autocommit=True) as connection:
        for extension in EXTENSIONS:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
        for right in (
            "SELECT, INSERT, UPDATE, DELETE ON TABLES TO {application}",
            "USAGE, SELECT ON SEQUENCES TO {application}",
        ):
            connection.execute(sql.SQL(rights + right).format(**names))
