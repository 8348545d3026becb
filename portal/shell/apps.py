from __future__ import annotations

from django.apps import AppConfig


class ShellConfig(AppConfig):
    name = "portal.shell"
    label = "shell"
    verbose_name = "Shell"

    def ready(self) -> None:
        from portal.common.registry import NavigationEntry, navigation

        navigation.register(
            "dashboard",
            NavigationEntry("Dashboard", "layout-dashboard", "shell:dashboard", "organization:read"),
            rank=10,
        )
