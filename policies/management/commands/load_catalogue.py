"""`manage.py load_catalogue`: takes over the built-in catalogue that came with this release."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from policies.builtin.loader import Loaded
from policies.builtin.schema import CatalogueError
from policies.builtin.updates import take_shipped
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching


class Command(BaseCommand):
    help = (
        "Take over the built-in applications of this release: the first ones at once, later ones wait on the screen"
        " Catalogue until the MSP has looked at them. Safe to repeat; runs under the application's database role."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--apply", action="store_true", help="apply without waiting")

    def handle(self, *args: Any, **options: Any) -> None:
        with reaching(system_reach("the built-in catalogue")) as reach:
            try:
                taken = take_shipped(reach, at_once=options["apply"])
            except CatalogueError as error:
                raise CommandError(str(error)) from error
        self.stdout.write(_told(taken))


def _told(taken: object) -> str:
    if isinstance(taken, Loaded):
        return (
            f"{len(taken.created)} created, {len(taken.updated)} updated, {len(taken.retired)} retired,"
            f" {taken.unchanged} unchanged"
        )
    if taken is None:
        return "Nothing differs from what is in force, or it was discarded."
    return f"{taken} waits: look at it under Applications, Catalogue, and apply it there."
