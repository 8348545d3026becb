"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

organization_urls: list[URLPattern | URLResolver] = []
all_urls: list[URLPattern | URLResolver] = []
