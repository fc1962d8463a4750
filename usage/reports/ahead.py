"""The dashed rest of a period's chart: where a forecast leads, between what it lies, where the limit is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from usage.reports import dates
from usage.reports.charts import number
from usage.reports.columns import Expected
from usage.reports.meters import Meter
from usage.reports.shapes import Cast, OutMark, PaceLine, Panel

FARTHEST = 2  # times what is drawn besides: a steeper forecast leaves the picture at its top
ABOVE, BELOW = -12, 17  # px from the limit to a text
LATE = 55  # percent: from there on a text ends at its mark, before that it begins there, where nothing is drawn below


class Outcome(NamedTuple):
    """Where the limit is met: its share of the period, and what is said there."""

    at: float
    text: str
    is_refused: bool


class Lasting(NamedTuple):
    """So many units a day last until the period's end."""

    units: int
    text: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """A forecast as a chart needs it: the total it begins with, and the days it is about."""

    now: int
    days: Sequence[Expected]
    end_text: str
    outcome: Outcome | None
    lasting: Lasting | None


def ahead_of(meter: Meter, days: Sequence[Expected]) -> Ahead | None:
    """What the chart of the present period shows of the meter's forecast; none where there is none."""
    if meter.forecast is None or not days:
        return None
    return Ahead(
        meter.forecast.now, days, meter.number(meter.forecast.used), _outcome(meter), _lasting(meter)
    )


def _outcome(meter: Meter) -> Outcome | None:
    if meter.runs_out is None:
        return None
    is_refused = meter.limit.stop is not None
    text = _("Runs out %(day)s") if is_refused else _("Included until %(day)s")
    share = meter.period.elapsed(meter.runs_out)
    return Outcome(share, text % {"day": dates.short(meter.runs_out.date())}, is_refused)


def _lasting(meter: Meter) -> Lasting | None:
    """Of what adds up and has room, when not all of it is needed every day."""
    left = (meter.period.ends - meter.at).total_seconds() / 86_400
    if meter.is_level or not meter.headroom or left < 1:
        return None
    a_day = int(meter.headroom / left)
    if not a_day:
        return None
    text = _("%(units)s a day lasts to %(day)s") % {"units": meter.number(a_day), "day": meter.last_day}
    return Lasting(a_day, text)


def highest(drawn: int, ahead: Ahead | None) -> int:
    """How high the scale must reach with the forecast on it."""
    if ahead is None:
        return drawn
    top = max(one.high for one in ahead.days)
    return max(drawn, min(top, FARTHEST * drawn) if drawn else top)


def cast_of(ahead: Ahead, panel: Panel, slots: int, now: float) -> Cast:
    """The band and the line from now on; x counts slots, y is the panel's."""
    first = slots - len(ahead.days) + 1
    start = (now * slots, panel.y(ahead.now))
    line = [start, *((first + n, panel.y(one.to_date)) for n, one in enumerate(ahead.days))]
    lows = [(first + n, panel.y(one.low)) for n, one in enumerate(ahead.days)]
    highs = [(first + n, panel.y(one.high)) for n, one in enumerate(ahead.days)]
    height = panel.zero - panel.top
    return Cast(
        view=f"0 {panel.top} {slots} {height}",
        top=panel.top,
        height=height,
        band=f"{_path([start, *highs, *lows[::-1]])}Z",
        line=_path(line),
        end_y=number(max(line[-1][1] - 16, panel.top + 9)),
        end_text=ahead.end_text,
    )


def out_of(outcome: Outcome, y: float) -> OutMark:
    """The mark where the limit is met."""
    x = outcome.at * 100
    anchor, shift, text_y = ("end", 2, y + ABOVE) if x > LATE else ("start", 2, y + BELOW)
    return OutMark(number(x), number(y), number(text_y), anchor, shift, outcome.text, outcome.is_refused)


def pace_of(lasting: Lasting, panel: Panel, now: float) -> PaceLine | None:
    """The dotted line of what lasts; none where it lies above the picture."""
    if lasting.units > panel.steps[-1]:
        return None
    return PaceLine(number(now * 100), number(panel.y(lasting.units)), lasting.text)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return f"M{' '.join(_written(points))}"


def _written(points: Sequence[tuple[float, float]]) -> Iterator[str]:
    for x, y in points:
        yield f"{number(x)} {number(y)}"
