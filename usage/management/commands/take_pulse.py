"""Adds the vital signs to the last hour of the health page, as the Celery task does; for cron."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from usage.reports.pulse import take_pulse


class Command(BaseCommand):
    help = "Adds the vital signs to the last hour of the health page."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Minutes known: {take_pulse(timezone.now())}.")
