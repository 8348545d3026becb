from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    label = "audit"
    verbose_name = "Unified Audit"

    def ready(self) -> None:
        from portal.common import registry
        from portal.common.registry import NavigationEntry
        from portal.tenants.capabilities import Capability

        registry.navigation.register(
            "audit.events", NavigationEntry("Audit", "list-search", "audit:event-list", Capability.AUDIT_READ), rank=30
        )
