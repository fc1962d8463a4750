"""A metric's page as CSV: exactly the window, table, labels and refusals that are on screen, in base units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from billing.models import Metric
from usage.reports.document import moment
from usage.reports.metric import MetricReport
from usage.reports.metric_figures import Figures
from usage.reports.sheets import Cell, as_csv

Line = Sequence[Cell]
COUNTED, FORECAST = "counted", "forecast"


def metric_csv(figures: Figures, report: MetricReport) -> str:
    """Lines that say what it is, then a table for each part of the page, with an empty line between them."""
    lines = [*_about(figures, report), [], *_table(report), [], *_labels(report), [], *_refusals(report)]
    width = max(len(line) for line in lines)
    # Every line has as many fields as the widest, as RFC 4180 asks.
    padded = [[*line, *[None] * (width - len(line))] for line in lines]
    return as_csv([str(cell or "") for cell in padded[0]], padded[1:])


def _about(figures: Figures, report: MetricReport) -> Iterator[Line]:
    metric, window = report.meter.metric, report.window
    yield ["tenant", report.tenant.slug]
    yield ["metric", metric.code]
    yield ["unit", "bytes" if metric.unit == Metric.Unit.BYTES else metric.noun]
    yield ["window", window.code]
    yield ["starts", moment(window.starts)]
    yield ["ends", moment(window.ends)]
    yield ["time_zone", "UTC"]
    yield ["label", "all" if report.asked.label is None else report.asked.label]
    yield ["counted_to", moment(figures.counted_to)]


def _table(report: MetricReport) -> Iterator[Line]:
    yield ["hour" if report.window.is_hourly else "day", "is", *report.table.heads]
    for row in report.table.rows:
        yield [row.iso, FORECAST if row.is_expected else COUNTED, *row.values]


def _labels(report: MetricReport) -> Iterator[Line]:
    yield ["label", "units", "share"]
    if report.labels:
        for row in report.labels.rows:
            yield [row.label, row.units, row.share]


def _refusals(report: MetricReport) -> Iterator[Line]:
    yield ["refused_in", "policy", "requests"]
    for row in report.refusals:
        yield [f"{row.at:%Y-%m-%d}" if row.is_day else moment(row.at), row.policy, row.refused]
