"""The days of a tenant that forecasts are learnt from: how many, and what a level stood at in between. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from billing.models import Metric
from billing.periods import Period, period_before
from tenants.models import Tenant
from usage.forecasts.paces import DAY, SLOPE_DAYS, Days

LOOKED_BACK = 60  # days, today's included


@dataclass(slots=True)
class History:
    """What PostgreSQL has of a tenant's days, by metric id. `opens`: a level before the first move that was read."""

    units: dict[int, dict[date, int]] = field(default_factory=dict)
    closes: dict[int, dict[date, int]] = field(default_factory=dict)
    opens: dict[int, int] = field(default_factory=dict)

    def days(self, metric: Metric, today: date) -> Days:
        """As the metric's kind is forecast: units of a day, of a level what it stood at when each day ended."""
        if metric.kind != Metric.Kind.LEVEL:
            return self.units.get(metric.pk, {})
        window = level_window(today)
        found = amounts(self.closes.get(metric.pk, {}), self.opens.get(metric.pk, 0), window)
        return dict(zip(window, found, strict=True))


def horizon(tenant: Tenant, period: Period, today: date) -> date:
    """The first day that is looked back on: of the trend, or of the period before."""
    return min(today - DAY * (LOOKED_BACK - 1), period_before(tenant, period).first)


def level_window(today: date) -> list[date]:
    """The days before today whose ends a level's slope is learnt from."""
    return [today - DAY * back for back in range(SLOPE_DAYS + 1, 0, -1)]


def amounts(closes: Mapping[date, int], opening: int, window: Sequence[date]) -> list[int]:
    """A level at the end of each day of `window`; a day without a move carries on what was before it."""
    earlier = [day for day in closes if day < window[0]]
    amount = closes[max(earlier)] if earlier else opening
    found = []
    for day in window:
        amount = closes.get(day, amount)
        found.append(amount)
    return found
