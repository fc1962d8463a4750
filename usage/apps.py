"""The third floor: what tenants did."""

from importlib import import_module

from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("usage.pulse")  # connects signals; needs the models, which are there now
