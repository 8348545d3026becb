"""`manage.py make_keys`: makes the portal's signing keys that are missing. Safe to run at every start."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from agents import keys


class Command(BaseCommand):
    help = "Make the signing keys that are missing, under $DATA_DIR/keys, readable by this user only."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        made = keys.make_missing()
        if made:
            self.stdout.write(f"Made {', '.join(made)} in {keys.directory()}. Keep root.key off this machine.")
