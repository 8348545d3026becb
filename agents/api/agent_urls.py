"""Addresses that agents speak to, under `/agent/v1/`. `GET stream` is the gateway's (`agents.gateway`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from agents.api import agent_views as views

patterns: list[URLPattern | URLResolver] = [
    path("nonce", views.nonce, name="nonce"),
    path("enroll", views.enroll, name="enroll"),
    path("checkin", views.checkin, name="checkin"),
    path("manifest", views.manifest, name="manifest"),
    re_path(r"^blobs/(?P<digest>[0-9a-f]{64})$", views.blob, name="blob"),
    path("ack", views.ack, name="ack"),
    path("install.sh", views.install_script, name="install-script"),
    path("agent.pyz", views.agent_archive, name="agent-archive"),
    path("requirements.txt", views.agent_requirements, name="agent-requirements"),
    path("events", views.events, name="events"),
    path("requests", views.requests_made, name="requests"),
    path("requests/<uuid:request_id>", views.request_status, name="request"),
]
