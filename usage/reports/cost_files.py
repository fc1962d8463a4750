"""The cost page for spreadsheets: the lines of the bill, the forecast, and the plans beside it."""

from __future__ import annotations

from collections.abc import Iterator

from billing.pricing import rounded
from usage.reports.cost import CostReport
from usage.reports.document import moment
from usage.reports.offers import Offer, Offers
from usage.reports.sheets import Cell, as_csv
from usage.reports.statement_files import bill_rows

HEAD = (
    "tenant",
    "first_day",
    "last_day",
    "counted_to",
    "currency",
    "line",
    "name",
    "quantity",
    "included",
    "billable",
    "unit_price",
    "per",
    "whole_packages",
    "base_fee",
    "usage",
    "amount",
    "note",
)
NOTHING: list[Cell] = [None] * 6


def cost_csv(report: CostReport) -> str:
    """A row for each fee and each tier, the total, the forecast and between what it lies, and one for each plan."""
    about: list[Cell] = [
        report.tenant.slug,
        report.period.first.isoformat(),
        report.period.last_day.isoformat(),
        moment(report.counted_to),
        report.currency,
    ]
    return as_csv(HEAD, ([*about, *row] for row in _rows(report)))


def _rows(report: CostReport) -> Iterator[list[Cell]]:
    for *line, amount in bill_rows(report.document):
        yield [*line, None, None, amount, ""]
    yield ["total", "", *NOTHING, None, None, rounded(report.total), ""]
    if report.offers:
        yield from _forecast(report.offers.own)
        yield from _plans(report.offers)


def _forecast(own: Offer) -> Iterator[list[Cell]]:
    if own.outlook:
        for name, amount in (
            ("likely", own.outlook.total),
            ("low", own.outlook.low),
            ("high", own.outlook.high),
        ):
            yield ["forecast", name, *NOTHING, None, None, rounded(amount), ""]


def _plans(found: Offers) -> Iterator[list[Cell]]:
    for one in found.rows:
        cost = one.expected
        amounts = [rounded(amount) for amount in (cost.base_fee, cost.overage, cost.total)]
        yield ["plan", one.plan.name, *NOTHING, *amounts, one.look.word]
