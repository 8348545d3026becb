"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

router_urls: list[URLPattern | URLResolver] = []
