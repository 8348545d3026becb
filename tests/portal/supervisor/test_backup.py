"""The backup of docs/operations.md can be restored; the tempting one is empty and says nothing."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from portal.supervisor.children import Children
from portal.supervisor.database_roles import prepare_database
from portal.supervisor.layout import Layout
from portal.supervisor.postgres import Cluster, embedded_cluster
from portal.supervisor.servers import start_servers

WALL = """
    CREATE TABLE organization (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO organization VALUES (1, 'Able Moose'), (2, 'Brisk Otter');
    ALTER TABLE organization ENABLE ROW LEVEL SECURITY;
    ALTER TABLE organization FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON organization USING (id = nullif(current_setting('portcullis.own', true), '')::int);
"""


@dataclass(frozen=True)
class Portal:
    cluster: Cluster
    addresses: dict[str, str]

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run((self.cluster.bin / program, *arguments), capture_output=True, text=True)

    def as_superuser(self) -> tuple[str, ...]:
        return ("--host", str(self.cluster.sockets), "--username", "postgres")


@pytest.fixture
def portal(children: Children, layout: Layout, environment: dict[str, str]) -> Portal:
    addresses = start_servers(children, layout, environment, throwaway=True)
    with psycopg.connect(addresses["DATABASE_OWNER_URL"]) as owner:
        owner.execute(WALL)
    return Portal(embedded_cluster(layout, environment), addresses)


def test_the_superuser_s_dump_is_restored_into_a_fresh_database_with_its_walls(portal: Portal, tmp_path: Path) -> None:
    dump = tmp_path / "portcullis.dump"
    made = portal.run("pg_dump", *portal.as_superuser(), "-Fc", "--file", str(dump), "portcullis")
    assert made.returncode == 0, made.stderr
    with psycopg.connect(portal.cluster.address(), autocommit=True) as superuser:
        superuser.execute("DROP DATABASE portcullis")
    owner_url, application_url = (portal.addresses[name] for name in ("DATABASE_OWNER_URL", "DATABASE_URL"))
    prepare_database(portal.cluster.address(), owner_url, application_url)
    options = ("--dbname=portcullis", "--clean", "--if-exists", "--exit-on-error")
    restored = portal.run("pg_restore", *portal.as_superuser(), *options, str(dump))
    assert restored.returncode == 0, restored.stderr
    with psycopg.connect(application_url) as application:
        assert application.execute("SELECT count(*) FROM organization").fetchone() == (0,)
        application.execute("SELECT set_config('portcullis.own', '2', true)")
        assert application.execute("SELECT name FROM organization").fetchall() == [("Brisk Otter",)]


def test_the_owner_s_dump_fails_or_is_empty(portal: Portal) -> None:
    owner = portal.addresses["DATABASE_OWNER_URL"]
    assert portal.run("pg_dump", "--dbname", owner, "--data-only").returncode != 0
    tempting = portal.run("pg_dump", "--dbname", owner, "--data-only", "--enable-row-security")
    assert tempting.returncode == 0
    assert "Able Moose" not in tempting.stdout


def test_the_documented_backup_role_sees_every_row(portal: Portal) -> None:
    with psycopg.connect(portal.cluster.address(), dbname="portcullis", autocommit=True) as superuser:
        superuser.execute("CREATE ROLE portcullis_backup LOGIN BYPASSRLS PASSWORD 'only-for-this-test'")
        superuser.execute("GRANT pg_read_all_data TO portcullis_backup")
    address = f"host={portal.cluster.sockets} dbname=portcullis user=portcullis_backup password=only-for-this-test"
    dump = portal.run("pg_dump", "--dbname", address, "--data-only")
    assert dump.returncode == 0, dump.stderr
    assert "Able Moose" in dump.stdout
