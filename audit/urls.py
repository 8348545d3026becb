"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from audit.views import events, permit

_events: list[URLPattern | URLResolver] = [
    path("audit/", events.event_list, name="event-list"),
    path("audit/export.csv", events.event_export, name="event-export"),
    path("audit/file-history/", events.history, name="file-history"),
    path("audit/<str:event>/", events.event_detail, name="event-detail"),
]

_deciding: list[URLPattern | URLResolver] = [
    path("audit/<str:event>/permit/", permit.event_permit, name="event-permit"),
    path("audit/<str:event>/permit/impact/", permit.event_impact, name="event-impact"),
]

organization_urls: list[URLPattern | URLResolver] = [*_events, *_deciding]
all_urls: list[URLPattern | URLResolver] = [*_events]
