"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from agents.api import views

router_urls: list[URLPattern | URLResolver] = [
    path("install-keys/", views.InstallKeyList.as_view(), name="install-key-list"),
    path("install-keys/<slug:key_id>/", views.InstallKeyDetail.as_view(), name="install-key-detail"),
    path("install-keys/<slug:key_id>/revoke/", views.InstallKeyRevoke.as_view(), name="install-key-revoke"),
    path("deployments/", views.DeploymentList.as_view(), name="deployment-list"),
    path("deployments/<slug:deployment_id>/", views.DeploymentDetail.as_view(), name="deployment-detail"),
    path(
        "deployments/<slug:deployment_id>/computers/", views.DeploymentComputers.as_view(), name="deployment-computers"
    ),
    path("deployments/<slug:deployment_id>/cancel/", views.DeploymentCancel.as_view(), name="deployment-cancel"),
    path("deployments/<slug:deployment_id>/rollback/", views.DeploymentRollback.as_view(), name="deployment-rollback"),
]
