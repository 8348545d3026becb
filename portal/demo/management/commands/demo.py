"""`manage.py demo`: fills an empty portal with Northwind IT and its customers. A portal in use is left alone."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.demo import create


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(create.create_demo())
