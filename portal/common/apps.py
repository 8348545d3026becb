from __future__ import annotations

from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "portal.common"
    label = "common"
    verbose_name = "Common"

    def ready(self) -> None:
        from portal.common import queue

        queue.app.set_default()  # shared tasks of this process belong to it
