"""The chart of a metric by day: geometry for two panels, the period to date above and each day below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Metric
from usage import units
from usage.reports import dates
from usage.reports.charts import number, ticks
from usage.reports.shapes import (
    TIP_WIDTH,
    DailyChart,
    LimitLine,
    Mark,
    NowLine,
    Panel,
    Rect,
    Tip,
)

BAR, INSET = 0.76, 0.12  # of a day's width
GAP = 0.8  # px between the parts of a stack
COLOURS, REST = ("1", "2", "3"), "6"


class Day(NamedTuple):
    """One day: units by series, their sum, and the total with it (of a level: the amount at its end)."""

    on: date
    parts: tuple[int, ...]
    total: int
    to_date: int


@dataclass(frozen=True, slots=True)
class Plot:
    """What is to be drawn: the days so far, the names of their parts, and what bounds them."""

    metric: Metric
    days: Sequence[Day]
    series: Sequence[str]
    has_rest: bool  # the last of the series stands for all other labels
    window: Sequence[date]  # every day of it, also those to come
    is_period: bool  # whether a total to date has a meaning
    limit: int | None
    limit_text: str
    now: float | None  # share of the window that is over
    clock: str

    @property
    def is_level(self) -> bool:
        return self.metric.kind == Metric.Kind.LEVEL

    @property
    def pitch(self) -> float:
        return 100 / len(self.window)


def daily_chart(plot: Plot) -> DailyChart:
    """The chart of `plot`; a level has one panel, so has a window that is no period."""
    upper, lower = _panels(plot)
    panels = tuple(panel for panel in (upper, lower) if panel)
    foot = panels[-1].zero
    bars = [*(_to_date(plot, upper) if upper else ()), *(_each_day(plot, lower) if lower else ())]
    line = _limit_line(plot, upper) if upper else None
    return DailyChart(
        height=foot + 24,
        foot=foot,
        panels=panels,
        ticks=tuple(
            tick for panel in panels for tick in panel.ticks(plot.metric, plot.limit if line else None)
        ),
        bars=tuple(bars),
        limit=line,
        now=_now_line(plot),
        marks=tuple(_marks(plot)),
        tips=tuple(_tip(plot, index, day) for index, day in enumerate(plot.days)),
    )


def _panels(plot: Plot) -> tuple[Panel | None, Panel | None]:
    highest = max((day.to_date for day in plot.days), default=0)
    # Above the limit there is room for its text.
    upper = tuple(ticks(max(highest, (plot.limit or 0) * 11 // 10), most=6, on=plot.limit))
    busiest = max((day.total for day in plot.days), default=0)
    lower = tuple(ticks(busiest, most=5 if not plot.is_period else 3))
    if plot.is_level:
        return Panel(_("At the end of each day"), 10, 18, 250, upper), None
    if not plot.is_period:
        return None, Panel(_("Per day"), 10, 28, 206, lower)
    return Panel(_("Period to date"), 10, 18, 250, upper), Panel(_("Per day"), 282, 300, 406, lower)


def _to_date(plot: Plot, panel: Panel) -> Iterator[Rect]:
    """What was there the day before, pale, and on top of it what the day added; a level is one bar."""
    for index, day in enumerate(plot.days):
        before = 0 if plot.is_level else day.to_date - day.total
        if before:
            yield _rect(plot, index, "was", panel.y(before), panel.zero)
        if day.to_date > before:
            yield _rect(plot, index, "add", panel.y(day.to_date), panel.y(before))


def _each_day(plot: Plot, panel: Panel) -> Iterator[Rect]:
    for index, day in enumerate(plot.days):
        below = 0
        for place, part in enumerate(day.parts):
            if part:
                bottom, top = panel.y(below), panel.y(below + part)
                yield _rect(
                    plot,
                    index,
                    colour(plot.series, place, has_rest=plot.has_rest),
                    top,
                    max(bottom - GAP, top + 0.4),
                )
            below += part


def colour(series: Sequence[str], place: int, *, has_rest: bool) -> str:
    """The class of a part: a single series is ink, several have the series' colours, the rest its own."""
    if len(series) == 1:
        return "add"
    return f"s{REST if has_rest and place == len(series) - 1 else COLOURS[place]}"


def _rect(plot: Plot, index: int, css: str, top: float, bottom: float) -> Rect:
    x = (index + INSET) * plot.pitch
    return Rect(css, number(x), number(top), number(plot.pitch * BAR), number(bottom - top))


def _limit_line(plot: Plot, panel: Panel) -> LimitLine | None:
    if plot.limit is None or not plot.limit:
        return None
    y = panel.y(plot.limit)
    return LimitLine(number(y), number(y - 7), plot.limit_text)


def _now_line(plot: Plot) -> NowLine | None:
    if plot.now is None:
        return None
    x = plot.now * 100
    if x > 50:
        return NowLine(number(x), number(x), "end", -6, plot.clock)
    # Left of the middle the text would lie on the panel's title.
    return NowLine(number(x), number(max(x, 14)), "start", 6, plot.clock)


def _marks(plot: Plot) -> Iterator[Mark]:
    """Every fifth day, of long windows every tenth; the month where it is new."""
    step, month = (5 if len(plot.window) <= 31 else 10), 0
    for place, index in enumerate([0, *range(step - 1, len(plot.window), step)]):
        on = plot.window[index]
        text = str(on.day) if on.month == month else dates.short(on)
        month = on.month
        yield Mark(number((index + 0.5) * plot.pitch), text, place % 2 == 1)


def _tip(plot: Plot, index: int, day: Day) -> Tip:
    written = dates.weekday(day.on)
    total, to_date = units.number(plot.metric, day.total), units.number(plot.metric, day.to_date)
    rows = [] if len(plot.series) < 2 or plot.is_level else list(zip(plot.series, day.parts, strict=True))
    is_left = index < len(plot.window) / 2
    begin = 41 + 16 * len(rows) + (2 if rows else 0)
    sums = [(begin, _("At its end"), to_date)] if plot.is_level else [(begin, _("Day"), total)]
    if plot.is_period and not plot.is_level:
        sums.append((begin + 15, _("To date"), to_date))
    return Tip(
        on=day.on,
        spoken=f"{written}: " + ", ".join(f"{name} {figure}" for _y, name, figure in sums),
        x=number(index * plot.pitch),
        width=number(plot.pitch),
        at=number((index + is_left) * plot.pitch),
        shift=8 if is_left else -TIP_WIDTH - 8,
        height=sums[-1][0] + 20,
        title=written,
        rows=tuple(
            (41 + 16 * place, name if len(name) <= 16 else f"{name[:15]}…", units.number(plot.metric, part))
            for place, (name, part) in enumerate(rows)
        ),
        sums=tuple(sums),
    )
