from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from portal.accounts import sign_in_record
        from portal.common.registry import NavigationEntry, navigation

        sign_in_record.connect()
        navigation.register(
            "accounts.settings", NavigationEntry("Settings", "settings", "accounts:settings", "user:read")
        )
