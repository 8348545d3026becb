from __future__ import annotations

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "policies"
    label = "policies"
    verbose_name = "Policies"

    def ready(self) -> None:
        from policies.defaults import keep_default
        from portal.common import registry

        registry.group_hooks.register("policies.default_deny", keep_default)
