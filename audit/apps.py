from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    label = "audit"
    verbose_name = "Unified Audit"

    def ready(self) -> None:
        from audit import cards, evaluated, match_preview
        from audit.collapse_evidence import EVIDENCE
        from audit.denied_lately import denied_lately
        from policies import previews
        from policies.evaluation import seen
        from policies.notices.examples import recent_denials
        from policies.upkeep.evidence import evidence
        from portal.common import registry
        from portal.common.registry import DashboardCard, NavigationEntry, OrganizationColumn
        from portal.tenants.capabilities import Capability

        previews.match_preview.fill(match_preview.match_preview)
        previews.computers_seen.fill(match_preview.computers_seen)
        registry.navigation.register(
            "audit.events", NavigationEntry("Audit", "list-search", "audit:event-list", Capability.AUDIT_READ), rank=30
        )
        registry.navigation.register(
            "audit.requests",
            NavigationEntry(
                "Approvals", "checklist", "audit:request-list", Capability.REQUEST_READ, badge=cards.pending_requests
            ),
            rank=20,
        )
        registry.dashboard_cards.register(
            "audit.requests", DashboardCard("Approvals", Capability.REQUEST_READ, cards.approvals), rank=10
        )
        registry.dashboard_cards.register(
            "audit.denials", DashboardCard("Denied, 24 h", Capability.AUDIT_READ, cards.denials), rank=40
        )
        registry.organization_columns.register(
            "audit.requests",
            OrganizationColumn("Approvals", Capability.REQUEST_READ, cards.approvals_by_organization),
            rank=10,
        )
        registry.organization_columns.register(
            "audit.denials",
            OrganizationColumn("Denied, 24 h", Capability.AUDIT_READ, cards.denials_by_organization),
            rank=40,
        )
        registry.computer_panels.register("audit.events", cards.computer_panel, rank=50)
        evidence.fill(EVIDENCE)
        recent_denials.fill(denied_lately)
        seen.seen_event.fill(evaluated.seen_event)
        seen.seen_hash.fill(evaluated.seen_hash)
