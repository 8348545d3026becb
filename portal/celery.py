"""What `celery -A portal.celery` runs: workers and beat, with the tasks of every app. Imported by nobody."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from portal.common.queue import app  # noqa: E402 (settings first)

app.autodiscover_tasks()

__all__ = ["app"]
