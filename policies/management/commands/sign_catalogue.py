"""`manage.py sign_catalogue`: makes a signed feed of the catalogue's files, for installations that trust the key."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.management.base import BaseCommand, CommandError, CommandParser

from policies.builtin.feed import Feed, sign_feed
from policies.builtin.schema import FOLDER, CatalogueError, read_catalogue

_DAY = 86_400


class Command(BaseCommand):
    help = (
        "Sign the catalogue as a feed. The key is an Ed25519 private key in PEM (openssl genpkey -algorithm ed25519)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out", type=Path, help="the feed's file")
        parser.add_argument("--key", type=Path, required=True, help="the private key")
        parser.add_argument("--serial", type=int, required=True, help="higher than that of any feed before")
        parser.add_argument("--days", type=int, default=90, help="for how long it may be taken in")
        parser.add_argument("--folder", type=Path, default=FOLDER, help="the catalogue's files")

    def handle(self, *args: Any, **options: Any) -> None:
        key = load_pem_private_key(options["key"].read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise CommandError("The key is no Ed25519 key.")
        try:
            entries = read_catalogue(options["folder"])
        except CatalogueError as error:
            raise CommandError(str(error)) from error
        now = int(time.time())
        feed = Feed(serial=options["serial"], issued_at=now, expires_at=now + options["days"] * _DAY, entries=entries)
        options["out"].write_bytes(sign_feed(feed, [key]))
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        self.stdout.write(f"{len(entries)} applications signed. Installations trust it with CATALOGUE_KEYS={public}")
