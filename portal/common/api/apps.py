"""The Django app of the REST infrastructure: one table, the answers kept for `Idempotency-Key`."""

from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "portal.common.api"
    label = "api"
    default_auto_field = "django.db.models.BigAutoField"
