"""A tenant's history for programs and spreadsheets: every period, each metric with the limit then in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from usage.reports.document import moment
from usage.reports.periods import History, PastPeriod, PastUse
from usage.reports.sheets import Cell, as_csv

HEAD = (
    "tenant",
    "period",
    "last_day",
    "is",
    "plan",
    "metric",
    "unit",
    "used",
    "included",
    "stops_at",
    "limit",
    "beyond",
    "percent",
    "refused",
)


def history_json(found: History) -> dict[str, Any]:
    """Base units; a limit of null is none, a metric the plan did not have has no `beyond`."""
    return {
        "tenant": {"slug": found.tenant.slug, "name": found.tenant.name},
        "periods": [
            {
                "id": str(one.period),
                "starts_at": moment(one.period.starts),
                "ends_at": moment(one.period.ends),
                "is_running": one.is_running,
                "plan": one.plan,
                "metrics": [_metric(use) for use in one.uses],
            }
            for one in found.periods
        ],
    }


def history_csv(found: History) -> str:
    """A row for each metric that was used in a period, newest period first; a period without any has one row."""
    return as_csv(HEAD, (row for one in found.periods for row in _rows(found, one)))


def _rows(found: History, one: PastPeriod) -> Iterator[list[Cell]]:
    about: list[Cell] = [
        found.tenant.slug,
        str(one.period),
        one.period.last_day.isoformat(),
        "running" if one.is_running else "closed",
        one.plan["slug"],
    ]
    for use in one.uses:
        facts = _metric(use)
        yield [*about, *(facts[name] for name in ("code", *HEAD[6:]))]
    if not one.uses:
        yield [*about, *[None] * (len(HEAD) - len(about))]


def _metric(use: PastUse) -> dict[str, Any]:
    limit = use.limit
    return {
        "code": use.metric.code,
        "name": use.metric.name,
        "kind": use.metric.kind,
        "unit": use.metric.unit,
        "used": use.used,
        "included": limit.included if limit else None,
        "stops_at": limit.stop if limit else None,
        "limit": limit.size if limit else None,
        "beyond": limit.beyond if limit else None,
        "percent": use.percent,
        "refused": use.refused,
    }
