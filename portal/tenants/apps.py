from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import connections
from django.db.models.signals import pre_migrate

from portal.common.registry import NavigationEntry, navigation, search_providers


class TenantsConfig(AppConfig):
    name = "portal.tenants"
    label = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        pre_migrate.connect(_let_the_application_in, sender=self)
        register(_the_role_cannot_bypass_the_wall, Tags.database)
        _show_in_the_rail()
        _show_in_the_palette()


def _show_in_the_rail() -> None:
    places = (
        (
            "organizations",
            NavigationEntry("Organizations", "buildings", "tenants:organization-list", "organization:read"),
        ),
        ("computers", NavigationEntry("Computers", "device-desktop", "tenants:computer-list", "computer:read")),
        ("groups", NavigationEntry("Groups", "stack-2", "tenants:group-list", "computer:read")),
        ("journal", NavigationEntry("Journal", "history", "tenants:entry-list", "journal:read")),
    )
    for name, entry in places:
        navigation.register(f"tenants.{name}", entry)


def _show_in_the_palette() -> None:
    from portal.tenants import finding

    search_providers.register("tenants.computers", finding.find_computers, rank=20)
    search_providers.register("tenants.groups", finding.find_groups, rank=30)


def _let_the_application_in(*, using: str, **_: Any) -> None:
    """Before the owner creates tables: let the application's role use them, but own none of them."""
    role = settings.DATABASES["default"]["USER"]
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] == role:
            return
        for privileges, kind in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE, SELECT", "SEQUENCES")):
            cursor.execute(f'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {privileges} ON {kind} TO "{role}"')


def _the_role_cannot_bypass_the_wall(*, databases: Any, **_: Any) -> list[Error]:
    """`manage.py check --database default` refuses a role that row-level security does not hold."""
    from portal.tenants import rls

    if "default" not in (databases or ()):
        return []
    return [
        Error(f"The application's database role can see past row-level security: {fault}.", id="tenants.E001")
        for fault in rls.role_faults()
    ]
