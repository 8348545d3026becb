"""One database a test process, migrated by the owner and used under the application's role, as in production.

The cast: *Northwind IT* is the MSP; *Able Moose Accounting* and *Brisk Otter Dental* are its customers. The default
person of a test is the least privileged one that can do the thing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from portal.accounts.models import Role, User
from portal.tenants.models import Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.running import FOLDERS, RunningPortal, running


def pytest_configure(config: pytest.Config) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    settings.MFA_REQUIRED_ROLES = []
    _take_own_valkey_database()


def _take_own_valkey_database() -> None:
    """One for each test process: a cache that one of them clears is nobody else's, nor are its sign-in limits."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
    settings.REDIS_URL = f"{settings.REDIS_URL}?db={number}"
    settings.CACHES["default"]["LOCATION"] = settings.REDIS_URL
    if settings.CELERY_BROKER_URL.startswith("redis+socket://"):
        settings.CELERY_BROKER_URL = f"{settings.CELERY_BROKER_URL}?virtual_host={number}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the whole product first, it takes longest. Other browser tests last: pytest-playwright's event loop
    stays in the process, and no other can run beside it.
    """
    items.sort(key=lambda item: (not item.nodeid.startswith(FOLDERS), "browser" in item.keywords))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A process gets a whole file at a time, and one process everything that needs the whole product."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "the whole product" if nodeid.startswith(FOLDERS) else nodeid.split("::")[0]

    config.option.loadscopereorder = False
    return Together(config, log)


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    """A fresh database of this process, made by the owner; tests connect as the application's role."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"test_portcullis_{worker}_{os.getpid()}"
    with django_db_blocker.unblock():
        _as_owner(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
        for alias in ("default", "owner"):
            connections[alias].close()
            settings.DATABASES[alias]["NAME"] = name
            connections[alias].settings_dict["NAME"] = name
        call_command("migrate", database="owner", verbosity=0, interactive=False)
        connections["owner"].close()
        type(connection.ops).execute_sql_flush = staticmethod(_flush_as_owner)  # of every thread and loop
        yield
        for alias in ("default", "owner"):
            connections[alias].close()
        _as_owner(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _as_owner(*statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
    """Run statements as the owner; the rows of the last one."""
    owner = connections["owner"].settings_dict
    with psycopg.connect(
        host=owner["HOST"] or None,
        port=owner["PORT"] or None,
        user=owner["USER"],
        password=owner["PASSWORD"],
        dbname=database,
        autocommit=True,
    ) as link:
        for statement in statements:
            cursor = link.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def _flush_as_owner(sql_list: list[str]) -> None:
    """Empty the tables between committed tests: the application's role may not, and the journal forbids it to all."""
    here = settings.DATABASES["default"]["NAME"]
    guarded = _as_owner("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'no_truncate'", database=here)
    off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for (table,) in guarded]
    on = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for (table,) in guarded]
    _as_owner("BEGIN", *off, *(sql.replace(";", " CASCADE;") for sql in sql_list), *on, "COMMIT", database=here)


@pytest.fixture
def world(db: None) -> Iterator[None]:
    """The test itself sees every row; each request it makes sees what its person reaches."""
    with reaching(factories.SYSTEM):
        yield


@pytest.fixture
def committed(transactional_db: None) -> None:
    """Like `world`, with real commits: for threads, tasks and locks. Open `reaching` yourself."""


@pytest.fixture
def northwind(world: None) -> Organization:
    return factories.organization("Northwind IT")


@pytest.fixture
def able_moose(northwind: Organization) -> Organization:
    return factories.organization("Able Moose Accounting", northwind)


@pytest.fixture
def brisk_otter(northwind: Organization) -> Organization:
    return factories.organization("Brisk Otter Dental", northwind)


@pytest.fixture(scope="session")
def running_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPortal]:
    """The whole product, started once. For tests in `tests.running.FOLDERS` only."""
    with running(tmp_path_factory.mktemp("portal")) as portal:
        yield portal


@pytest.fixture
def as_user() -> Callable[[User], Client]:
    """`as_user(person)`: a browser in which that person is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def owner(northwind: Organization) -> User:
    return factories.person("Olive Owner", Role.OWNER, northwind)


@pytest.fixture
def technician(able_moose: Organization) -> User:
    """A technician of Northwind who was granted Able Moose, and nothing else."""
    return factories.person("Tom Technician", Role.TECHNICIAN, able_moose)


@pytest.fixture
def customer_admin(able_moose: Organization) -> User:
    return factories.person("Ada Admin", Role.CUSTOMER_ADMIN, able_moose)


@pytest.fixture
def reader(able_moose: Organization) -> User:
    return factories.person("Rita Reader", Role.CUSTOMER_READER, able_moose)


@pytest.fixture
def stranger(brisk_otter: Organization) -> User:
    """A technician of another customer: everything of Able Moose is 404 to this person."""
    return factories.person("Sam Stranger", Role.TECHNICIAN, brisk_otter)
