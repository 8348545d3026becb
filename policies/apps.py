from __future__ import annotations

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "policies"
    label = "policies"
    verbose_name = "Policies"

    def ready(self) -> None:
        from policies import finding, panels, reversals  # noqa: F401  (reversals register themselves)
        from policies.baselines import newcomers, showing, taking_back  # noqa: F401  (reversals register themselves)
        from policies.changes import computer_moved
        from policies.copying import taking_back as copying  # noqa: F401
        from policies.defaults import keep_default
        from policies.linting import cards, mended_rules  # noqa: F401 (mended_rules registers how its steps are undone)
        from policies.upkeep import steps  # noqa: F401 (registers how its steps are undone)
        from portal.common import registry
        from portal.common.registry import DashboardCard, NavigationEntry

        registry.group_hooks.register("policies.default_deny", keep_default)
        registry.computer_hooks.register("policies.moved", computer_moved)
        registry.organization_hooks.register("policies.baselines", newcomers.organization_came)
        registry.group_hooks.register("policies.baselines", newcomers.group_came, rank=110)
        registry.navigation.register(
            "policies.applications",
            NavigationEntry("Applications", "apps", "policies:application-list", "application:read"),
        )
        registry.navigation.register(
            "policies.policies", NavigationEntry("Policies", "list-numbers", "policies:policy-list", "policy:read")
        )
        registry.dashboard_cards.register(
            "policies.exceptions", DashboardCard("Exceptions to review", "policy:read", showing.due_exceptions), rank=90
        )
        registry.dashboard_cards.register("policies.lint", DashboardCard("Lint", "policy:read", cards.dangers), rank=60)
        registry.computer_panels.register("policies.panel", panels.computer_panel, rank=50)
        registry.search_providers.register("policies.policies", finding.find_policies)
        registry.search_providers.register("policies.applications", finding.find_applications)
