"""One metric of a tenant in a window: chart, table, labels and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from django.utils.translation import gettext as _

from billing.models import Metric
from billing.periods import period_before
from tenants.models import Tenant
from usage.reports.ahead import ahead_of
from usage.reports.columns import Column, Expected, Part, columns, expected, label_name, parts_of
from usage.reports.daily import Plot, colour, daily_chart
from usage.reports.labels import Labels, labels
from usage.reports.measured import Measured, measured
from usage.reports.meters import Meter
from usage.reports.metric_table import Layout, Table, table
from usage.reports.readings import Reading
from usage.reports.refused import RefusalRow, told
from usage.reports.shapes import DailyChart
from usage.reports.windows import LABELS, NAMES, TOTAL, Asked, Window, window_of

BREAKDOWN = 20


@dataclass(frozen=True, slots=True)
class Series:
    """A part of the bars: its colour's class and name."""

    css: str
    name: str

    @property
    def key(self) -> str:
        """The class of its mark in the legend."""
        return f"f{self.css.removeprefix('s')}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A link of a switch: its id, its address and its words."""

    id: str
    address: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class MetricReport:
    """One window of a metric as the page and its file show it."""

    tenant: Tenant
    meter: Meter
    asked: Asked
    window: Window
    layout: Layout
    chart: DailyChart
    series: tuple[Series, ...]
    table: Table
    labels: Labels | None
    refusals: Sequence[RefusalRow]
    is_empty: bool

    @property
    def title(self) -> str:
        return _("Use by hour") if self.window.is_hourly else _("Use by day")

    @property
    def named(self) -> str:
        """The chart's name: “API calls by day, 1–30 Nov 2026”."""
        text = (
            _("%(name)s by hour, %(window)s") if self.window.is_hourly else _("%(name)s by day, %(window)s")
        )
        return text % {"name": self.meter.metric.name, "window": self.window.text}

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
    def has_legend(self) -> bool:
        return self.layout.has_parts and not self.layout.is_standing

    @property
    def ranges(self) -> list[Choice]:
        """The windows to choose from; view and label are kept."""
        return [
            Choice(f"go-{code}", self.asked.address(range=code), str(name), code == self.window.code)
            for code, name in NAMES.items()
        ]

    @property
    def views(self) -> list[Choice]:
        """Bars solid or by label; no choice where a level or one label is drawn, or there is but one."""
        count = len(self.labels.rows) if self.labels else 0
        if self.layout.is_standing or self.asked.label is not None or count < 2:
            return []
        return [
            Choice(f"go-{code}", self.asked.address(view=code), name, code == self.asked.view)
            for code, name in ((TOTAL, _("Total")), (LABELS, _("By label")))
        ]

    @property
    def here(self) -> str:
        """The query of what is on screen, for its file."""
        return self.asked.address()

    @property
    def only(self) -> str:
        """The one label that is shown; empty where all are."""
        return "" if self.asked.label is None else label_name(self.asked.label)

    @property
    def all_labels(self) -> str:
        """The address without the label."""
        return self.asked.address(label=None)


def metric_report(read: Reading, meter: Meter, asked: Asked) -> MetricReport:
    """The metric in the window that is asked for; one query."""
    window = window_of(read.period, period_before(read.tenant, read.period), asked, read.at)
    found = measured(read, meter.metric, window)
    parts = parts_of(found, asked)
    made = columns(found, parts)
    is_ahead = window.is_current and asked.label is None and meter.forecast is not None
    days = list(expected(meter.forecast, made)) if is_ahead and meter.forecast else []
    layout = Layout(meter.metric, window, parts, asked.label is not None, bool(days))
    names = [part.name for part in parts]
    return MetricReport(
        tenant=read.tenant,
        meter=meter,
        asked=asked,
        window=window,
        layout=layout,
        chart=daily_chart(_plot(meter, layout, made, days)),
        series=tuple(
            Series(colour(names, place, has_rest=_has_rest(parts)), name) for place, name in enumerate(names)
        ),
        table=table(layout, made, days),
        labels=_labels(read, found, meter.metric, window, asked),
        refusals=told(found.refused, meter, window),
        is_empty=not any(one.total or one.to_date or one.removed for one in made),
    )


def _has_rest(parts: Sequence[Part]) -> bool:
    return parts[-1].label is None


def _plot(meter: Meter, layout: Layout, made: Sequence[Column], days: Sequence[Expected]) -> Plot:
    window = layout.window
    has_limit = window.is_current or (layout.is_standing and window.ends > meter.at)
    enforcement = f"{meter.enforcement[:1].lower()}{meter.enforcement[1:]}"
    return Plot(
        metric=meter.metric,
        columns=made,
        series=[part.name for part in layout.parts],
        has_rest=_has_rest(layout.parts),
        slots=window.slots,
        has_sum=layout.has_sum,
        is_standing=layout.is_standing,
        limit=meter.size if has_limit and not layout.is_filtered else None,
        limit_text=meter.limit_mark,
        limit_end=f" · {enforcement}",
        now=window.period.elapsed(meter.at) if window.is_current and window.period else None,
        clock=_("Today %(time)s") % {"time": f"{meter.at.astimezone(UTC):%H:%M}"},
        each=_each(meter.metric, layout),
        ahead=ahead_of(meter, days),
    )


def _each(metric: Metric, layout: Layout) -> str:
    """What a bar is."""
    is_hourly = layout.window.is_hourly
    if layout.is_standing:
        return _("At the end of each hour") if is_hourly else _("At the end of each day")
    if metric.kind == Metric.Kind.LEVEL:
        return _("Added per hour") if is_hourly else _("Added per day")
    if metric.kind == Metric.Kind.DISTINCT:
        return _("First seen per hour") if is_hourly else _("First seen per day")
    return _("Per hour") if is_hourly else _("Per day")


def _labels(read: Reading, found: Measured, metric: Metric, window: Window, asked: Asked) -> Labels | None:
    """Use by label, against the same number of days of the period before where the window is the period."""
    if not found.labels:
        return None
    before = None
    if window.is_current and window.period:
        past = period_before(read.tenant, window.period)
        so_far = (read.at.astimezone(UTC).date() - window.first).days + 1
        end = min(past.until, past.first + timedelta(days=so_far))
        before = read.counts.labels(metric.pk, past.first, end)
    return labels(
        metric,
        found.labels,
        most=BREAKDOWN,
        before=before,
        address_of=lambda label: asked.address(label=label),
        chosen=asked.label,
    )
