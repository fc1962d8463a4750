"""Imports tenants from a CSV: `manage.py import_tenants file.csv` shows what it would do, `--apply` does it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from billing.import_rows import Mistake, Row, read_rows
from billing.imports import Step, carry_out, steps_for
from billing.models import Plan


class Command(BaseCommand):
    help = "Imports tenants from a CSV with the columns slug,name,plan,owner; shows first, does with --apply."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="A UTF-8 CSV whose first line is slug,name,plan,owner.")
        parser.add_argument("--apply", action="store_true", help="Do it: all of it, or nothing.")

    def handle(self, *_args: Any, **options: Any) -> None:
        path: Path = options["file"]
        at = timezone.now()
        with transaction.atomic():
            rows, mistakes = _read(path)
            steps, objections = steps_for(rows, at)
            self._show(steps)
            self._refuse([*mistakes, *objections])
            if not options["apply"]:
                self.stdout.write("Nothing was written yet: add --apply to do it.")
                return
            made = carry_out(steps, at=at, reason=f"Imported from {path.name}")
        self._tell(made)

    def _show(self, steps: list[Step]) -> None:
        for step in steps:
            self.stdout.write(f"{step.kind:<10} {step.row.slug}  {', '.join(step.changes())}".rstrip())
        counts = Counter(step.kind for step in steps)
        kinds = ("new", "changed", "unchanged")
        self.stdout.write(", ".join(f"{counts[kind]} {kind}" for kind in kinds) + ".")

    def _refuse(self, mistakes: list[Mistake]) -> None:
        for mistake in sorted(mistakes, key=lambda one: one.line):
            self.stderr.write(str(mistake))
        if mistakes:
            what = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
            raise CommandError(f"{what}; nothing was imported.")

    def _tell(self, made: list[str]) -> None:
        self.stdout.write("Done.")
        if made:
            self.stdout.write("These people are new and have no password yet:")
            for email in made:
                self.stdout.write(f"  {email}")
            link = settings.BASE_URL + reverse("tenants:reset")
            self.stdout.write(
                f"They choose one at {link}, or by the mail of `manage.py send_reset_link ADDRESS`."
            )


def _read(path: Path) -> tuple[list[Row], list[Mistake]]:
    try:
        # -sig: spreadsheets begin their UTF-8 with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return read_rows(file, Plan.objects.values_list("slug", flat=True))
    except OSError as error:
        raise CommandError(f"{path} can't be read ({error.strerror}): name a CSV file.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8 (byte {error.start}): save it as CSV UTF-8.") from error
