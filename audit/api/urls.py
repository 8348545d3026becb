"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from audit.api import views

router_urls: list[URLPattern | URLResolver] = [
    path("events/", views.EventList.as_view(), name="event-list"),
    path("events/<slug:event_id>/", views.EventDetail.as_view(), name="event-detail"),
    path("events/<slug:event_id>/explain/", views.EventExplain.as_view(), name="event-explain"),
    path("events/<slug:event_id>/permit/", views.EventPermit.as_view(), name="event-permit"),
    path("file-history/", views.FileHistory.as_view(), name="file-history"),
    path("approval-requests/", views.RequestList.as_view(), name="request-list"),
    path("approval-requests/<slug:request_id>/", views.RequestDetail.as_view(), name="request-detail"),
    path("approval-requests/<slug:request_id>/approve/", views.RequestApprove.as_view(), name="request-approve"),
    path("approval-requests/<slug:request_id>/deny/", views.RequestDeny.as_view(), name="request-deny"),
]
