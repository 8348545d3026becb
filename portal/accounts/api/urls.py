"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from portal.accounts.api import views

router_urls: list[URLPattern | URLResolver] = [
    path("api-tokens/", views.TokenList.as_view(), name="token-list"),
    path("api-tokens/<slug:token_id>/", views.TokenDetail.as_view(), name="token-detail"),
    path("users/", views.PersonList.as_view(), name="person-list"),
    path("users/<slug:user_id>/", views.PersonDetail.as_view(), name="person-detail"),
    path("users/<slug:user_id>/roles/", views.PersonRoles.as_view(), name="person-roles"),
    path("users/<slug:user_id>/roles/<slug:organization>/", views.PersonRole.as_view(), name="person-role"),
    path("users/<slug:user_id>/link/", views.PersonLink.as_view(), name="person-link"),
    path("users/<slug:user_id>/sessions/", views.PersonSessions.as_view(), name="person-sessions"),
]
