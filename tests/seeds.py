"""Puts back what data migrations seed, after a test with real transactions has emptied every table."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader

SEEDS = [("billing", "0002_plans")]


def reseed() -> None:
    """Run the seeding functions again on empty tables."""
    for app, name in SEEDS:
        import_module(f"{app}.migrations.{name}").seed(_models_at(app, name), None)


@cache
def _models_at(app: str, name: str) -> Apps:
    """Models as they were at a migration; they send no signals, so histories are as after `migrate`."""
    return MigrationLoader(connection).project_state((app, name)).apps
