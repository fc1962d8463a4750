"""One metric of a tenant in a window of days: its figures, chart, table, labels and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Metric, Plan
from billing.periods import Period, period_before
from tenants.models import Tenant
from usage.reports import dates
from usage.reports.counts import Counts, refusals
from usage.reports.daily import Day, Plot, colour, daily_chart
from usage.reports.labels import OTHER, Labels, labels
from usage.reports.meters import Meter
from usage.reports.readings import Reading, reading
from usage.reports.shapes import DailyChart
from usage.reports.summary import Tile, blocked, meter_tiles
from usage.reports.versions import version_of
from usage.reports.windows import WINDOWS, Window, window_of

SERIES = 3  # labels with a colour of their own
BREAKDOWN = 10
REFUSAL_DAYS = 30


class NoSuchMetric(LookupError):
    """The tenant's plan has no metric of this code."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One day in the table beside the chart."""

    on: date
    parts: tuple[str, ...]
    total: str
    removed: str
    to_date: str


@dataclass(frozen=True, slots=True)
class Series:
    """A part of the bars: its colour's class and name."""

    css: str
    name: str

    @property
    def key(self) -> str:
        """The class of its mark in the legend."""
        return f"f{self.css.removeprefix('s')}"


class RefusalRow(NamedTuple):
    """Refusals of one cause in one hour."""

    hour: datetime
    when: str
    policy: str
    refused: int


@dataclass(frozen=True, slots=True)
class MetricReport:
    tenant: Tenant
    plan: Plan
    period: Period
    at: datetime
    meter: Meter
    others: tuple[Meter, ...]
    window: Window
    chart: DailyChart
    series: tuple[Series, ...]
    rows: tuple[TableRow, ...]
    labels: Labels | None
    refusals: tuple[RefusalRow, ...]
    causes: Mapping[str, int]
    counted_to: datetime
    is_delayed: bool

    @property
    def refused(self) -> int:
        """Refused charges of the last 24 hours."""
        return sum(self.causes.values())

    @property
    def tiles(self) -> list[Tile]:
        return list(meter_tiles(self.meter, self.plan))

    @property
    def described(self) -> str:
        """The chart in a sentence, for those who hear it."""
        return f"{self.meter.spoken}, {self.meter.left_text}."

    @property
    def labels_are(self) -> str:
        """What the units of a label are."""
        if self.meter.is_level:
            return _("Where it was added")
        is_members = self.meter.metric.kind == Metric.Kind.DISTINCT
        return _("Where they were first seen") if is_members else _("Method and route pattern")

    @property
    def blocked(self) -> str:
        return blocked(self.causes)

    @property
    def ranges(self) -> list[tuple[str, str]]:
        """The windows to choose from, with their names."""
        return list(zip(WINDOWS, (_("This period"), _("Previous"), _("30 d"), _("60 d")), strict=True))

    @property
    def version(self) -> str:
        """Differs whenever the polled figures would look different, except for “counted to”."""
        return version_of([self.meter], self.causes, self.plan.name, self.is_delayed)


def metric_report(tenant: Tenant, code: str, window: str, at: datetime, *, with_money: bool) -> MetricReport:
    """The report on the metric of this code; an unknown window is the current period. Raises NoSuchMetric."""
    read = reading(tenant, at, with_money=with_money)
    meter = next((one for one in read.meters if one.metric.code == code), None)
    if meter is None:
        raise NoSuchMetric(f"{read.plan} has no metric {code!r}.")
    shown = window_of(read.period, period_before(tenant, read.period), window, at)
    parts = _parts(read.counts, meter.metric, shown)
    days = _days(read.counts, meter.metric, shown, parts, at)
    names = [_name(part) for part in parts]
    plot = _plot(meter, shown, days, names, parts[-1] == OTHER, at)
    return MetricReport(
        tenant=tenant,
        plan=read.plan,
        period=read.period,
        at=at,
        meter=meter,
        others=read.meters,
        window=shown,
        chart=daily_chart(plot),
        series=tuple(
            Series(colour(names, place, has_rest=plot.has_rest), name) for place, name in enumerate(names)
        ),
        rows=tuple(_row(meter, day, days[index - 1] if index else None) for index, day in enumerate(days)),
        labels=_labels(read, meter.metric, shown),
        refusals=tuple(_refusals(tenant, meter, at)),
        causes=read.counts.refused.get(meter.metric.pk, {}),
        counted_to=read.counted_to,
        is_delayed=read.is_delayed,
    )


def _parts(found: Counts, metric: Metric, window: Window) -> list[str]:
    """The labels that get a colour; the last stands for all others."""
    names = list(found.labels(metric.pk, window.first, window.until))
    if len(names) < 2:
        return names or [""]
    named = [name for name in names if name != OTHER][:SERIES]
    return [*named, OTHER] if len(named) < len(names) else named


def _name(label: str) -> str:
    return _("Other") if label == OTHER else label or _("no label")


def _days(found: Counts, metric: Metric, window: Window, parts: Sequence[str], at: datetime) -> list[Day]:
    """The days of the window that have begun."""
    today = at.astimezone(UTC).date()
    begun = [day for day in window.days if day <= today]
    is_level = metric.kind == Metric.Kind.LEVEL
    amounts = found.levels(metric.pk, begun, today) if is_level and begun else []
    days, to_date = [], 0
    for index, on in enumerate(begun):
        units = found.days.get(metric.pk, {}).get(on, {})
        own = [units.get(part, 0) for part in parts]
        if parts[-1] == OTHER:
            own[-1] = sum(units.values()) - sum(own[:-1])
        to_date = amounts[index] if is_level else to_date + sum(own)
        days.append(Day(on, tuple(own), sum(own), to_date))
    return days


def _plot(
    meter: Meter, window: Window, days: Sequence[Day], names: Sequence[str], has_rest: bool, at: datetime
) -> Plot:
    is_now = window.code == "period"
    has_limit = is_now or (meter.is_level and window.code != "previous")
    return Plot(
        metric=meter.metric,
        days=days,
        series=names,
        has_rest=has_rest,
        window=window.days,
        is_period=window.period is not None,
        limit=meter.size if has_limit else None,
        limit_text=f"{meter.limit_mark} · {meter.enforcement[:1].lower()}{meter.enforcement[1:]}",
        now=window.period.elapsed(at) if is_now and window.period else None,
        clock=_("Today %(time)s") % {"time": f"{at.astimezone(UTC):%H:%M}"},
    )


def _row(meter: Meter, day: Day, before: Day | None) -> TableRow:
    removed = max(0, before.to_date + day.total - day.to_date) if before else 0
    return TableRow(
        on=day.on,
        parts=tuple(meter.number(part) for part in day.parts),
        total=meter.number(day.total),
        removed=meter.number(removed),
        to_date=meter.number(day.to_date),
    )


def _refusals(tenant: Tenant, meter: Meter, at: datetime) -> Iterator[RefusalRow]:
    burst = meter.limit.burst
    policies = {
        "limit": _("limit %(size)s") % {"size": meter.size_text},
        "cap": _("spend cap"),
        "burst": _("burst %(burst)s / min") % {"burst": meter.number(burst)} if burst else _("burst"),
    }
    for row in refusals(tenant, meter.metric.pk, since=at - timedelta(days=REFUSAL_DAYS)):
        yield RefusalRow(row.hour, dates.when(row.hour, at), policies.get(row.cause, row.cause), row.refused)


def _labels(read: Reading, metric: Metric, window: Window) -> Labels | None:
    """Use by label, against the same number of days of the period before where the window is the period."""
    found = read.counts.labels(metric.pk, window.first, window.until)
    if not found:
        return None
    before = None
    if window.code == "period" and window.period:
        past = period_before(read.tenant, window.period)
        so_far = (read.at.astimezone(UTC).date() - window.first).days + 1
        end = min(past.until, past.first + timedelta(days=so_far))
        before = read.counts.labels(metric.pk, past.first, end)
    return labels(metric, found, most=BREAKDOWN, before=before)
