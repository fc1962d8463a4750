"""The pieces a metric's chart is drawn from: bars, lines, texts, tips; numbers are ready for SVG attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from billing.models import Metric
from usage import units
from usage.reports.charts import number

TIP_WIDTH = 180  # px


class Rect(NamedTuple):
    """A bar or a part of one."""

    css: str
    x: str
    y: str
    width: str
    height: str


class Tick(NamedTuple):
    """A line across a panel and its text at the left."""

    y: str
    text_y: str
    text: str
    css: str


class Mark(NamedTuple):
    """A text at the foot of the chart."""

    x: str
    text: str
    is_minor: bool


class Tip(NamedTuple):
    """What a slot says when it is pointed at or focused: rows of (y, name, number)."""

    key: str  # of its row in the table
    spoken: str
    x: str
    width: str
    at: str
    shift: int
    height: int
    title: str
    rows: tuple[tuple[int, str, str], ...]
    sums: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two coordinate systems; y grows downwards."""

    title: str
    title_y: int
    top: int
    zero: int
    steps: tuple[int, ...]

    def y(self, value: int) -> float:
        return self.zero - value / self.steps[-1] * (self.zero - self.top)

    def ticks(self, metric: Metric, limit: int | None = None) -> list[Tick]:
        return [
            Tick(
                number(self.y(step)),
                number(self.y(step) + 4),
                axis(metric, step),
                "limit" if step == limit else "grid" if step else "zero",
            )
            for step in self.steps
        ]


@dataclass(frozen=True, slots=True)
class LimitLine:
    """The limit, and what happens there: its end is left out where there is little room."""

    y: str
    text_y: str
    text: str
    end: str


@dataclass(frozen=True, slots=True)
class NowLine:
    x: str
    text_x: str
    anchor: str
    shift: int
    text: str


@dataclass(frozen=True, slots=True)
class Cast:
    """A forecast: paths in a box of their own, whose x counts slots and whose y is the chart's."""

    view: str
    top: int
    height: int
    band: str
    line: str
    end_y: str
    end_text: str


class OutMark(NamedTuple):
    """Where a limit is met."""

    x: str
    y: str
    text_y: str
    anchor: str
    shift: int
    text: str
    is_refused: bool


class PaceLine(NamedTuple):
    """What a day may use so that the rest lasts, from now to the end."""

    x: str
    y: str
    text: str


@dataclass(frozen=True, slots=True)
class DailyChart:
    """Everything the template draws, in drawing order."""

    height: int
    foot: int
    panels: tuple[Panel, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Rect, ...]
    limit: LimitLine | None
    now: NowLine | None
    marks: tuple[Mark, ...]
    tips: tuple[Tip, ...]
    ghosts: tuple[Rect, ...] = ()  # what days to come are expected to count
    cast: Cast | None = None
    out: OutMark | None = None
    pace: PaceLine | None = None

    @property
    def text_foot(self) -> int:
        return self.foot + 17

    @property
    def top(self) -> int:
        return self.panels[0].top

    @property
    def depth(self) -> int:
        return self.foot - self.top


def axis(metric: Metric, n: int) -> str:
    """A short number beside an axis: “250k”, “1.25M”, “2.5 GB”."""
    if metric.unit == Metric.Unit.BYTES:
        return units.number(metric, n) if n else "0"
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{number(n / size)}{letter}"
    return str(n)
