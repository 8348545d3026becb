"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from audit.views import events, permit, requests

_events: list[URLPattern | URLResolver] = [
    path("audit/", events.event_list, name="event-list"),
    path("audit/fresh/", events.event_fresh, name="event-fresh"),
    path("audit/export.csv", events.event_export, name="event-export"),
    path("audit/file-history/", events.history, name="file-history"),
    path("audit/<str:event>/", events.event_detail, name="event-detail"),
]

_deciding: list[URLPattern | URLResolver] = [
    path("audit/<str:event>/permit/", permit.event_permit, name="event-permit"),
    path("audit/<str:event>/permit/impact/", permit.event_impact, name="event-impact"),
]

_requests: list[URLPattern | URLResolver] = [
    path("approvals/<uuid:request_id>/", requests.request_detail, name="request-detail"),
    path("approvals/<uuid:request_id>/approve/", requests.request_approve, name="request-approve"),
    path("approvals/<uuid:request_id>/deny/", requests.request_deny, name="request-deny"),
]
_request_list = path("approvals/", requests.request_list, name="request-list")

organization_urls: list[URLPattern | URLResolver] = [*_events, *_deciding, _request_list, *_requests]
all_urls: list[URLPattern | URLResolver] = [*_events, _request_list]
