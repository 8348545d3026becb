"""`manage.py load_catalogue`: makes the built-in applications equal to the files in policies/builtin."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from policies.builtin.loader import CatalogueError, load_catalogue
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching


class Command(BaseCommand):
    help = "Load the built-in applications. Safe to repeat; runs under the application's database role."

    def handle(self, *args: Any, **options: Any) -> None:
        with reaching(system_reach("the built-in catalogue")) as reach:
            try:
                loaded = load_catalogue(reach)
            except CatalogueError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(
            f"{len(loaded.created)} created, {len(loaded.updated)} updated, {len(loaded.retired)} retired,"
            f" {loaded.unchanged} unchanged"
        )
