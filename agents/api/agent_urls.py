"""Addresses that agents speak to, under `/agent/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

patterns: list[URLPattern | URLResolver] = []
