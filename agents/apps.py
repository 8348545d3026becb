from __future__ import annotations

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
    label = "agents"
    verbose_name = "Agents"

    def ready(self) -> None:
        from agents import deploy, deployed, enrolment, shown
        from policies.evaluation.deployed import deployed_at
        from portal.common import registry
        from portal.tenants.capabilities import Capability

        registry.start_deployment.fill(deploy.start_deployment)
        deployed_at.fill(deployed.deployed_at)
        registry.computer_delivery.register("agents.delivery", shown.computer_delivery)
        registry.computer_panels.register("agents.panel", shown.computer_panel)
        registry.computer_hooks.register("agents.owe_bundle", enrolment.computer_moved)
        registry.navigation.register(
            "deployments",
            registry.NavigationEntry("Deployments", "rocket", "agents:deployment-list", Capability.DEPLOYMENT_READ),
        )
        registry.dashboard_cards.register(
            "deployments",
            registry.DashboardCard("Deployments", Capability.DEPLOYMENT_READ, shown.halted_deployments),
            rank=20,
        )
        registry.dashboard_cards.register(
            "behind", registry.DashboardCard("Behind", Capability.COMPUTER_READ, shown.behind_computers), rank=30
        )
        registry.dashboard_cards.register(
            "waiting-keys",
            registry.DashboardCard("Enrolled again", Capability.COMPUTER_WRITE, shown.waiting_keys),
            rank=40,
        )
        registry.organization_columns.register(
            "behind",
            registry.OrganizationColumn("Behind", Capability.COMPUTER_READ, shown.behind_by_organization),
            rank=40,
        )
        registry.search_providers.register("deployments", shown.find_deployments, rank=60)
