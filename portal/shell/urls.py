"""Addresses of the frame: dashboard, palette, health, help, switching organizations."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from portal.shell import views

organization_urls: list[URLPattern | URLResolver] = [
    path("", views.dashboard, name="dashboard"),
    path("card/<slug:name>/", views.card, name="card"),
    path("denies/", views.denies, name="denies"),
]
all_urls: list[URLPattern | URLResolver] = [
    path("", views.dashboard, name="dashboard"),
    path("card/<slug:name>/", views.card, name="card"),
    path("denies/", views.denies, name="denies"),
]
_anywhere: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("palette/", views.palette, name="palette"),
    path("switcher/", views.switcher, name="switcher"),
    path("health/", views.health, name="health"),
    path("help/", views.help_page, name="help"),
]
root_urls: list[URLPattern | URLResolver] = [path("", include((_anywhere, "frame")))]
