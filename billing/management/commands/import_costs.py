"""Imports a provider's bill: `manage.py import_costs bill.csv.gz` does what the staff page Imports does."""

from __future__ import annotations

from argparse import ArgumentParser
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.costs.bills import former_of, import_bill, spelled
from billing.costs.summary import BillSum, Summary, summarise
from billing.focus import Reading, Refused
from billing.focus_lines import printable, unpacked
from billing.models import CostBill
from billing.pricing import rounded

MOST_SERVICES = 20


class Command(BaseCommand):
    help = (
        "Imports a provider's bill (FOCUS 1.0 to 1.4 as CSV, plain or gzip) in place of what that month had."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="A CSV whose first line names the columns of FOCUS.")
        parser.add_argument("--provider", default="", help="Whose bill it is where its rows do not say so.")
        parser.add_argument("--dry-run", action="store_true", help="Show what it would do, and do nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        provider = spelled(options["provider"])
        try:
            with path.open("rb") as file:
                self._show(summarise(_reading(file, provider)))
                if options["dry_run"]:
                    self.stdout.write("Nothing was imported: leave out --dry-run to do it.")
                    return
                bills = import_bill(
                    _reading(file, provider), source=path.name[:200], author=None, at=timezone.now()
                )
        except OSError as error:
            raise CommandError(f"{path} can't be read ({error.strerror}): name a CSV file.") from error
        except Refused as refused:
            self._refuse(refused)
        else:
            done = ", ".join(f"{bill} (version {bill.version})" for bill in bills)
            self.stdout.write(f"Imported: {done}.")

    def _show(self, summary: Summary) -> None:
        for bill in summary.bills:
            self._show_bill(bill)
        if summary.unknown:
            names = printable(", ".join(summary.unknown))
            self.stdout.write(f"Not columns of FOCUS, left out: {names}.")
        same = CostBill.objects.filter(sha256=summary.sha256).order_by("-imported_at").first()
        if same:
            self.stdout.write(f"The same file was imported at {same.imported_at:%Y-%m-%d %H:%M} UTC.")

    def _show_bill(self, bill: BillSum) -> None:
        former = former_of(bill.provider, bill.month)
        self.stdout.write(
            f"{printable(bill.provider)}, {bill.month:%Y-%m}: {bill.rows:,} rows, {_money(bill.total)}"
        )
        if former:
            change = f"{_money(bill.total - former.total)} beside it"
            self.stdout.write(f"  replaces version {former.version}: {_money(former.total)}, {change}")
        for one in bill.services[:MOST_SERVICES]:
            self.stdout.write(f"  {_money(one.total):>16}  {one.rows:>9,} rows  {printable(one.service)}")
        if len(bill.services) > MOST_SERVICES:
            self.stdout.write(f"  and {len(bill.services) - MOST_SERVICES:,} more services")

    def _refuse(self, refused: Refused) -> None:
        for mistake in refused.mistakes:
            self.stderr.write(str(mistake))
        if refused.more:
            self.stderr.write(f"and {refused.more:,} more")
        what = "1 mistake" if refused.count == 1 else f"{refused.count:,} mistakes"
        raise CommandError(f"{what}; nothing was imported.")


def _reading(file: BinaryIO, provider: str) -> Reading:
    # A file on this machine is no trap: it may unpack to whatever it likes.
    return Reading(unpacked(file), provider=provider, most=None)


def _money(amount: Decimal) -> str:
    return f"{rounded(amount):,.2f}"
