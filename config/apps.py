"""The top floor: settings, addresses, processes."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Registers the system checks, which need loaded apps, and the Celery app that tasks are sent through.
        from config import celery, checks  # noqa: F401
