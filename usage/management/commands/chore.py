"""Does one of counting's chores now, so that cron can do what Celery's beat does."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from usage.metering.chores import CHORES


class Command(BaseCommand):
    help = "Do one of counting's chores once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=sorted(CHORES))

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        self.stdout.write(f"{name}: {CHORES[name](timezone.now())}")
