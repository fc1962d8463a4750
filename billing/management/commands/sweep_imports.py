"""Lets files go that waited a day for somebody to import them: `manage.py sweep_imports`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from billing.costs.pending import sweep


class Command(BaseCommand):
    help = "Let files go that waited a day for somebody to import them."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"sweep_imports: {sweep(timezone.now())}")
