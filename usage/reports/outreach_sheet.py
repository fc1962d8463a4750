"""Who would be better off on another plan, for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _

from billing.pricing import rounded
from usage.reports.outreach import every_case
from usage.reports.sheets import Cell, csv_lines


def outreach_csv(*, plan: str, at: datetime) -> Iterator[str]:
    """The lines of the file, one after another; `plan` (slug) narrows it to those who are on it."""
    head = [
        _("Tenant"),
        _("Slug"),
        _("Plan"),
        _("Pays, forecast"),
        _("Suggested plan"),
        _("Would pay, forecast"),
        _("Our revenue"),
        _("Margin, last month divided"),
        _("Why"),
        _("Owners"),
    ]
    return csv_lines(head, _rows(plan, at))


def _rows(plan: str, at: datetime) -> Iterator[list[Cell]]:
    for case in every_case(plan=plan, at=at):
        yield [
            case.name,
            case.slug,
            case.plan,
            rounded(case.own),
            case.suggested,
            rounded(case.other),
            rounded(case.difference),
            case.margin,
            case.why,
            ", ".join(case.owners),
        ]
