"""Addresses of the REST infrastructure; they come last, the final one answers what nobody knows."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from portal.common.api import docs

schema_urls: list[URLPattern | URLResolver] = [
    path("schema/", docs.schema, name="schema"),
    path("docs/", docs.docs, name="docs"),
    re_path(r"^(?P<rest>.*)$", docs.unknown_address, name="unknown-address"),
]
