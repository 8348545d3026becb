"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from agents.views import computers, deployments, install_keys, pending

_everywhere: list[URLPattern | URLResolver] = [
    path("pending-bar/", pending.pending_bar, name="pending-bar"),
    path("pending/", pending.review, name="pending"),
    path("pending/lockouts/", pending.lockouts, name="lockouts"),
    path("pending/deploy/", pending.deployment_start, name="deployment-start"),
    path("deployments/", deployments.deployment_list, name="deployment-list"),
    path("deployments/<uuid:deployment>/", deployments.deployment_detail, name="deployment-detail"),
    path("deployments/<uuid:deployment>/cancel/", deployments.deployment_cancel, name="deployment-cancel"),
    path("deployments/<uuid:deployment>/rollback/", deployments.deployment_rollback, name="deployment-rollback"),
]

organization_urls: list[URLPattern | URLResolver] = [
    *_everywhere,
    path("groups/<uuid:group>/install-keys/", install_keys.install_key_panel, name="install-key-panel"),
    path("install-keys/<uuid:key>/revoke/", install_keys.install_key_revoke, name="install-key-revoke"),
    path("computers/<uuid:computer>/keys/<uuid:key>/ban/", computers.computer_key_ban, name="computer-key-ban"),
    path(
        "computers/<uuid:computer>/keys/<uuid:key>/approve/",
        computers.computer_key_approve,
        name="computer-key-approve",
    ),
]
all_urls: list[URLPattern | URLResolver] = _everywhere
