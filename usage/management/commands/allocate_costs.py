"""Divides providers' bills among tenants, as the Celery task does; for cron, and for a month that is final."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from usage.costs.allocate import allocate_month
from usage.costs.due import allocate_costs
from usage.costs.months import Month


class Command(BaseCommand):
    help = "Divides the bills that are due among tenants, or those of a month."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", type=_month, help="this month alone, as 2026-11")
        parser.add_argument(
            "--reason", default="", help="also where the month is final: why it is divided anew"
        )

    def handle(self, *args: Any, month: date | None, reason: str, **options: Any) -> None:
        if month is None:
            self.stdout.write(f"Months divided: {allocate_costs(timezone.now())}.")
            return
        made = allocate_month(Month(month), timezone.now(), reason=reason)
        if made is None:
            raise CommandError(f"There is no bill of {month:%Y-%m}: import one first.")
        self.stdout.write(f"{made}: {made.bill:,.2f} divided.")


def _month(text: str) -> date:
    return datetime.strptime(text, "%Y-%m").date()  # a day has no zone
