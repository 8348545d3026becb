"""PostgreSQL and Valkey for one run: embedded ones, or the real ones that the environment names."""

from __future__ import annotations

from collections.abc import Mapping

from portal.supervisor.children import Children
from portal.supervisor.database_roles import APPLICATION, OWNER, prepare_database, socket_url
from portal.supervisor.errors import StartRefused
from portal.supervisor.layout import Layout
from portal.supervisor.postgres import embedded_cluster
from portal.supervisor.secret_files import secret
from portal.supervisor.valkey import embedded_valkey


def start_servers(
    children: Children, layout: Layout, environment: Mapping[str, str], *, throwaway: bool = False
) -> dict[str, str]:
    """Start what is not given by address; the variables that tell every other child where the servers are."""
    passed = dict(environment)
    passed["DATA_DIR"] = str(layout.data)
    passed.setdefault("SECRET_KEY", secret(layout.secrets, "django"))
    passed.update(_database(children, layout, environment, throwaway=throwaway))
    if not environment.get("REDIS_URL"):
        valkey = embedded_valkey(layout, throwaway=throwaway)
        children.start(valkey.program(environment))
        passed["REDIS_URL"] = valkey.url()
    return passed


def _database(children: Children, layout: Layout, environment: Mapping[str, str], *, throwaway: bool) -> dict[str, str]:
    if environment.get("DATABASE_URL"):
        return _external_database(environment)
    cluster = embedded_cluster(layout, environment, throwaway=throwaway)
    cluster.create()
    children.start(cluster.program(environment))
    owner = socket_url(OWNER, secret(layout.secrets, "database_owner"), str(cluster.sockets))
    application = socket_url(APPLICATION, secret(layout.secrets, "database_app"), str(cluster.sockets))
    prepare_database(cluster.address(), owner, application, templates=True)
    return {"DATABASE_URL": application, "DATABASE_OWNER_URL": owner}


def _external_database(environment: Mapping[str, str]) -> dict[str, str]:
    """With DATABASE_ADMIN_URL the roles are made too; without it they must be there already."""
    application, owner = environment["DATABASE_URL"], environment.get("DATABASE_OWNER_URL", "")
    if not owner:
        raise StartRefused(
            "DATABASE_URL needs DATABASE_OWNER_URL beside it: migrations run as the owner of the tables, the "
            "portal as a role that cannot bypass row-level security. With DATABASE_ADMIN_URL (a superuser) "
            "both roles are made."
        )
    if admin := environment.get("DATABASE_ADMIN_URL"):
        prepare_database(admin, owner, application)
    return {"DATABASE_URL": application, "DATABASE_OWNER_URL": owner}
