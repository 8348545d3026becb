"""Print the address and the token of the first-run set-up, while there is nobody who could sign in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.accounts import setup
from portal.common import clock


class Command(BaseCommand):
    help = "Print the token that the first-run set-up asks for. Good for today and tomorrow (UTC)."

    def handle(self, *args: Any, **options: Any) -> None:
        if not setup.is_open():
            raise CommandError("This portal is set up already. Its owner invites people under Settings.")
        self.stdout.write(f"Open   {settings.PORTAL_URL}/set-up/")
        self.stdout.write(f"Token  {setup.token_of(clock.now().date())}")
