"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.tenants.views import computers, entries, groups, organizations

_everywhere: list[URLPattern | URLResolver] = [
    path("computers/", computers.computer_list, name="computer-list"),
    path("groups/", groups.group_list, name="group-list"),
    path("journal/", entries.entry_list, name="entry-list"),
    path("journal/verify/", entries.entry_verify, name="entry-verify"),
    path("journal/export/", entries.entry_export, name="entry-export"),
]

organization_urls: list[URLPattern | URLResolver] = [
    *_everywhere,
    path("edit/", organizations.organization_edit, name="organization-edit"),
    path("delete/", organizations.organization_delete, name="organization-delete"),
    path("groups/new/", groups.group_create, name="group-create"),
    path("groups/<slug:group>/", groups.group_detail, name="group-detail"),
    path("groups/<slug:group>/edit/", groups.group_edit, name="group-edit"),
    path("groups/<slug:group>/delete/", groups.group_delete, name="group-delete"),
    path("computers/<uuid:computer>/", computers.computer_detail, name="computer-detail"),
    path("computers/<uuid:computer>/move/", computers.computer_move, name="computer-move"),
    path("computers/<uuid:computer>/delete/", computers.computer_delete, name="computer-delete"),
    path("journal/<uuid:entry>/", entries.entry_detail, name="entry-detail"),
]

all_urls: list[URLPattern | URLResolver] = [
    *_everywhere,
    path("organizations/", organizations.organization_list, name="organization-list"),
    path("organizations/new/", organizations.organization_create, name="organization-create"),
]
