"""The embedded PostgreSQL: two roles, and every way of dying is recovered from."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from portal.supervisor.children import Children
from portal.supervisor.console import Console
from portal.supervisor.database_roles import prepare_database
from portal.supervisor.errors import StartRefused
from portal.supervisor.layout import Layout
from portal.supervisor.postgres import Cluster, embedded_cluster
from portal.supervisor.programs import wait_until
from portal.supervisor.servers import start_servers


@pytest.fixture
def cluster(layout: Layout, environment: dict[str, str]) -> Cluster:
    found = embedded_cluster(layout, environment, throwaway=True)
    found.create()
    return found


def start(children: Children, layout: Layout, environment: dict[str, str]) -> dict[str, str]:
    return start_servers(children, layout, environment, throwaway=True)


def test_the_application_role_can_neither_bypass_row_level_security_nor_change_tables(
    children: Children, layout: Layout, environment: dict[str, str]
) -> None:
    passed = start(children, layout, environment)
    with psycopg.connect(passed["DATABASE_OWNER_URL"]) as owner:
        owner.execute("CREATE TABLE thing (id int)")
    with psycopg.connect(passed["DATABASE_URL"], autocommit=True) as application:
        rights = application.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert rights == (False, False, False, False)
        application.execute("INSERT INTO thing VALUES (1)")
        for statement in ("DROP TABLE thing", "TRUNCATE thing", "CREATE TABLE other (id int)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement)


def test_a_database_made_by_the_owner_later_is_prepared_as_well(
    children: Children, layout: Layout, environment: dict[str, str]
) -> None:
    passed = start(children, layout, environment)
    with psycopg.connect(passed["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE DATABASE test_portcullis")
    with psycopg.connect(passed["DATABASE_OWNER_URL"], dbname="test_portcullis") as owner:
        owner.execute("CREATE TABLE thing (id int, name text)")
        owner.execute("CREATE INDEX ON thing USING gin (name gin_trgm_ops)")
    with psycopg.connect(passed["DATABASE_URL"], dbname="test_portcullis") as application:
        application.execute("INSERT INTO thing VALUES (1, 'a')")


def test_nobody_comes_in_without_the_password(children: Children, layout: Layout, environment: dict[str, str]) -> None:
    passed = start(children, layout, environment)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(passed["DATABASE_URL"], password="a guess")


def test_committed_rows_survive_kill_9_of_the_server(
    children: Children, layout: Layout, environment: dict[str, str]
) -> None:
    passed = start(children, layout, environment)
    with psycopg.connect(passed["DATABASE_OWNER_URL"]) as owner:
        owner.execute("CREATE TABLE thing AS SELECT generate_series(1, 1000) AS id")
    server = children.running[0]
    first = server.process.pid
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        children.look_after()
        return server.process.pid != first and server.program.ready()

    assert wait_until(back, 30)
    with psycopg.connect(passed["DATABASE_URL"]) as application:
        assert application.execute("SELECT count(*) FROM thing").fetchone() == (1000,)


def test_a_second_start_keeps_the_data_and_the_passwords(
    layout: Layout, environment: dict[str, str], console: Console
) -> None:
    with Children(layout.logs, console) as children:
        first = start(children, layout, environment)
        with psycopg.connect(first["DATABASE_OWNER_URL"]) as owner:
            owner.execute("CREATE TABLE thing (id int)")
    with Children(layout.logs, console) as children:
        second = start(children, layout, environment)
        assert second == first
        with psycopg.connect(second["DATABASE_URL"]) as application:
            assert application.execute("SELECT count(*) FROM thing").fetchone() == (0,)


def test_lost_secrets_are_made_anew_and_still_open_the_old_data(
    layout: Layout, environment: dict[str, str], console: Console
) -> None:
    with Children(layout.logs, console) as children:
        start(children, layout, environment)
    for path in layout.secrets.iterdir():
        path.unlink()
    with Children(layout.logs, console) as children:
        passed = start(children, layout, environment)
        with psycopg.connect(passed["DATABASE_URL"]) as application:
            assert application.execute("SELECT 1").fetchone() == (1,)


def test_a_stale_pid_file_that_names_another_program_is_removed_and_that_program_left_alone(
    cluster: Cluster,
) -> None:
    stale = cluster.directory / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{cluster.directory}\n")
    cluster.mend()  # would have sent us SIGINT
    assert not stale.exists()


def test_a_server_left_by_a_killed_launcher_is_ended_before_a_new_one_starts(
    layout: Layout, environment: dict[str, str], console: Console, cluster: Cluster
) -> None:
    with Children(layout.logs, console) as children:
        children.start(cluster.program(environment))
        leftover = children.running[0].process
        cluster.mend()
        assert leftover.wait(10) == 0


def test_a_cluster_whose_creation_was_cut_short_is_made_again(layout: Layout, environment: dict[str, str]) -> None:
    cluster = embedded_cluster(layout, environment, throwaway=True)
    draft = cluster.directory.with_name(f"{cluster.directory.name}.draft")
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    cluster.create()
    assert (cluster.directory / "global").is_dir()
    assert not draft.exists()


def test_a_directory_that_holds_something_else_is_not_touched(layout: Layout, environment: dict[str, str]) -> None:
    cluster = embedded_cluster(layout, environment)
    cluster.directory.mkdir()
    (cluster.directory / "letter.txt").write_text("keep me")
    with pytest.raises(StartRefused, match="is not a PostgreSQL cluster"):
        cluster.create()
    assert (cluster.directory / "letter.txt").read_text() == "keep me"


def test_data_of_another_major_version_is_refused_with_the_way_out(cluster: Cluster) -> None:
    (cluster.directory / "PG_VERSION").write_text("15\n")
    with pytest.raises(StartRefused, match=r"made by PostgreSQL 15.*PG_BIN"):
        cluster.create()


def test_one_role_for_both_addresses_is_refused() -> None:
    one = "postgresql://portcullis@/portcullis"
    with pytest.raises(StartRefused, match="two different roles"):
        prepare_database("host=nowhere", one, one)


def test_a_server_that_does_not_answer_is_told_plainly(tmp_path: Path) -> None:
    owner, application = "postgresql://owner@/portcullis", "postgresql://app@/portcullis"
    with pytest.raises(StartRefused, match="does not let us in"):
        prepare_database(f"host={tmp_path}", owner, application)


def test_a_real_server_needs_the_owner_s_address_too(
    children: Children, layout: Layout, environment: dict[str, str]
) -> None:
    with pytest.raises(StartRefused, match="DATABASE_OWNER_URL"):
        start(children, layout, {**environment, "DATABASE_URL": "postgresql://app:x@db/portcullis"})


def test_a_chosen_pg_bin_without_a_server_is_refused(
    layout: Layout, environment: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(StartRefused, match="PG_BIN"):
        embedded_cluster(layout, {**environment, "PG_BIN": str(tmp_path)})


def test_a_deep_data_directory_gets_short_sockets(tmp_path: Path, environment: dict[str, str]) -> None:
    deep = Layout.at(tmp_path.joinpath(*["a-rather-long-name"] * 6))
    sockets = deep.socket_directory(deep.data / "postgres")
    assert len(str(sockets / ".s.PGSQL.5432.lock")) < 104
    assert sockets.stat().st_mode & 0o777 == 0o700
    sockets.rmdir()
