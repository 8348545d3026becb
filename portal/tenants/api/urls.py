"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.tenants.api import views

router_urls: list[URLPattern | URLResolver] = [
    path("organizations/", views.OrganizationList.as_view(), name="organization-list"),
    path("organizations/<slug:reference>/", views.OrganizationDetail.as_view(), name="organization-detail"),
    path("computer-groups/", views.GroupList.as_view(), name="group-list"),
    path("computer-groups/<slug:reference>/", views.GroupDetail.as_view(), name="group-detail"),
    path("computers/", views.ComputerList.as_view(), name="computer-list"),
    path("computers/<slug:computer_id>/", views.ComputerDetail.as_view(), name="computer-detail"),
    path("system-audit/", views.EntryList.as_view(), name="entry-list"),
    path("system-audit/verify/", views.Verification.as_view(), name="entry-verify"),
]
