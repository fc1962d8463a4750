"""The chart of a metric by day or hour: geometry for two panels, the period to date above and each slot below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Metric
from usage.reports.ahead import Ahead, cast_of, highest, out_of, pace_of
from usage.reports.charts import number, ticks
from usage.reports.columns import Column
from usage.reports.shapes import DailyChart, LimitLine, NowLine, Panel, Rect
from usage.reports.slots import Slot
from usage.reports.tips import marks, tips

BAR, INSET = 0.76, 0.12  # of a slot's width
GAP = 0.8  # px between the parts of a stack
COLOURS, REST = ("1", "2", "3"), "6"
GHOST = "ghost"


@dataclass(frozen=True, slots=True)
class Plot:
    """What is to be drawn: the columns so far, the names of their parts, and what bounds them."""

    metric: Metric
    columns: Sequence[Column]
    series: Sequence[str]
    has_rest: bool  # the last of the series stands for all other labels
    slots: Sequence[Slot]  # all of the window, also those to come
    has_sum: bool  # whether a total to date has a meaning
    is_standing: bool  # whether it is a level's amounts that are drawn
    limit: int | None
    limit_text: str
    limit_end: str  # what happens there
    now: float | None  # share of the window that is over
    clock: str
    each: str  # what a bar of the lower panel is: “Per day”
    ahead: Ahead | None = None

    @property
    def pitch(self) -> float:
        return 100 / len(self.slots)


class _Panels(NamedTuple):
    """Totals above, slots below; one of them is not there where it has no meaning."""

    upper: Panel | None
    lower: Panel | None


def daily_chart(plot: Plot) -> DailyChart:
    """The chart of `plot`; a level has one panel, so has a window that is no period."""
    upper, lower = drawn = _panels(plot)
    panels = tuple(panel for panel in drawn if panel)
    foot = panels[-1].zero
    bars = [*(_to_date(plot, upper) if upper else ()), *(_each(plot, lower) if lower else ())]
    line = _limit_line(plot, upper) if upper else None
    ahead, now = plot.ahead, plot.now or 0.0
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
        marks=tuple(marks(plot.slots)),
        tips=tuple(
            tips(
                plot.metric,
                plot.slots,
                plot.columns,
                ahead.days if ahead else (),
                series=plot.series if len(plot.series) > 1 and not plot.is_standing else (),
                is_standing=plot.is_standing,
                has_sum=plot.has_sum,
            )
        ),
        ghosts=tuple(_ghosts(plot, ahead, lower)) if ahead and lower else (),
        cast=cast_of(ahead, upper, len(plot.slots), now) if ahead and upper else None,
        out=out_of(ahead.outcome, upper.y(plot.limit or 0)) if ahead and ahead.outcome and upper else None,
        pace=pace_of(ahead.lasting, lower, now) if ahead and ahead.lasting and lower else None,
    )


def _panels(plot: Plot) -> _Panels:
    # Above the limit there is room for its text.
    reached = max(max((one.to_date for one in plot.columns), default=0), (plot.limit or 0) * 11 // 10)
    upper = tuple(ticks(highest(reached, plot.ahead), most=6, on=plot.limit))
    totals = [
        *(one.total for one in plot.columns),
        *(one.total for one in (plot.ahead.days if plot.ahead else ())),
    ]
    lower = tuple(ticks(max(totals, default=0), most=3 if plot.has_sum else 5))
    if plot.is_standing:
        return _Panels(Panel(plot.each, 10, 18, 250, upper), None)
    if not plot.has_sum:
        return _Panels(None, Panel(plot.each, 10, 28, 206, lower))
    return _Panels(Panel(_("Period to date"), 10, 18, 250, upper), Panel(plot.each, 282, 300, 406, lower))


def _to_date(plot: Plot, panel: Panel) -> Iterator[Rect]:
    """What was there before, pale, and on top of it what the slot added; a level is one bar."""
    for index, one in enumerate(plot.columns):
        before = 0 if plot.is_standing else one.to_date - one.total
        if before:
            yield _rect(plot, index, "was", panel.y(before), panel.zero)
        if one.to_date > before:
            yield _rect(plot, index, "add", panel.y(one.to_date), panel.y(before))


def _each(plot: Plot, panel: Panel) -> Iterator[Rect]:
    for index, one in enumerate(plot.columns):
        below = 0
        for place, part in enumerate(one.parts):
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


def _ghosts(plot: Plot, ahead: Ahead, panel: Panel) -> Iterator[Rect]:
    """What is still expected of today, and of the days after it."""
    first = len(plot.columns) - 1
    for index, one in enumerate(ahead.days, first):
        if one.rest:
            yield _rect(plot, index, GHOST, panel.y(one.total), panel.y(one.total - one.rest))


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
    return LimitLine(number(y), number(y - 7), plot.limit_text, plot.limit_end)


def _now_line(plot: Plot) -> NowLine | None:
    if plot.now is None:
        return None
    x = plot.now * 100
    if x > 50:
        return NowLine(number(x), number(x), "end", -6, plot.clock)
    # Left of the middle the text would lie on the panel's title.
    return NowLine(number(x), number(max(x, 14)), "start", 6, plot.clock)
