"""Tries the deliveries that are due, as the Celery task does; for cron."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from usage.alerts import outbox


class Command(BaseCommand):
    help = "Tries the deliveries that are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=100, help="try at most so many (default: 100)")

    def handle(self, *args: Any, limit: int, **options: Any) -> None:
        delivered = outbox.deliver_due(timezone.now(), limit)
        self.stdout.write(f"Delivered: {delivered}.")
