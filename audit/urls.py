"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from audit.views import events

_events: list[URLPattern | URLResolver] = [
    path("audit/", events.event_list, name="event-list"),
    path("audit/export.csv", events.event_export, name="event-export"),
    path("audit/file-history/", events.history, name="file-history"),
    path("audit/<str:event>/", events.event_detail, name="event-detail"),
]

organization_urls: list[URLPattern | URLResolver] = [*_events]
all_urls: list[URLPattern | URLResolver] = [*_events]
