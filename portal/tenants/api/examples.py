"""Answers as the documentation shows them."""

from __future__ import annotations

from typing import Any

ORGANIZATION: dict[str, Any] = {
    "id": "01a1fded-9b0a-7000-a476-9151011dafea",
    "slug": "able-moose-accounting",
    "name": "Able Moose Accounting",
    "parent": "01a1fded-9ab9-7000-9ab1-78f27478fc6c",
    "parent_name": "Northwind IT",
    "color": "plum",
    "time_zone": "Europe/Vienna",
    "created_at": "2026-11-02T08:15:00Z",
}

GROUP: dict[str, Any] = {
    "id": "01a1fdee-03c2-7000-8f1b-0b9f6f2b7a11",
    "organization": ORGANIZATION["id"],
    "organization_name": ORGANIZATION["name"],
    "slug": "finance",
    "name": "Finance",
    "os": "windows",
    "is_global": False,
    "name_prefix": "",
    "initial_learning_days": 7,
    "mode": "secured",
    "mode_ends_at": None,
    "created_at": "2026-11-02T08:16:00Z",
}

COMPUTER: dict[str, Any] = {
    "id": "01a1fdee-5a10-7000-9d3c-55d2c1a0be42",
    "name": "FIN-LT-07",
    "organization": ORGANIZATION["id"],
    "organization_name": ORGANIZATION["name"],
    "group": GROUP["id"],
    "group_name": "Finance",
    "machine_id": "4c4c4544-0042-3510-8056-b4c04f504333",
    "os": "windows",
    "os_version": "11 24H2",
    "agent_version": "0.1.0",
    "last_user": "ABLE\\jdoe",
    "last_seen_at": "2026-11-21T14:02:07Z",
    "is_simulated": False,
    "mode": "secured",
    "mode_ends_at": None,
    "bundle_version": 812,
    "bundle_sha256": "9f2c41d7a9f0c6d3b1e85a7720c4be1f6a3d9e08b5c7f214d6e3a1b09c8d7e6f",
    "in_sync": True,
    "created_at": "2026-11-02T09:41:12Z",
}
