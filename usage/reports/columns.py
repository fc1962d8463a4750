"""The columns of a metric's chart: what each slot counted, in parts, and what the days to come are expected to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

from usage.forecasts.forecast import Forecast
from usage.reports.labels import OTHER
from usage.reports.measured import Measured
from usage.reports.slots import DAY, Slot
from usage.reports.windows import LABELS, Asked

SERIES = 3  # labels with a colour of their own


class Part(NamedTuple):
    """A part of each column: the units of one label; without one, all that no other part names."""

    label: str | None
    name: str


class Column(NamedTuple):
    """One slot: units by part, their sum, and the total with it.

    Of a level the total is what it stood at at the end, and `removed` what left it meanwhile.
    """

    slot: Slot
    parts: tuple[int, ...]
    total: int
    to_date: int
    removed: int = 0


class Expected(NamedTuple):
    """A day by its end: what it will have counted, how much of that is to come, the total, and its band."""

    slot: Slot
    total: int
    rest: int
    to_date: int
    low: int
    high: int


def parts_of(found: Measured, asked: Asked) -> list[Part]:
    """The largest labels and the rest; all in one where that is asked for or there is but one; or the one label."""
    if asked.label is not None:
        return [Part(asked.label, label_name(asked.label))]
    names = list(found.labels)
    if asked.view != LABELS or len(names) < 2:
        return [Part(None, _("Total"))]
    named = [Part(name, label_name(name)) for name in names if name != OTHER][:SERIES]
    return [*named, Part(None, _("Other"))] if len(named) < len(names) else named


def label_name(label: str) -> str:
    """A label as people read it."""
    return _("Other") if label == OTHER else label or _("no label")


def columns(found: Measured, parts: Sequence[Part]) -> list[Column]:
    """The slots of the window that have begun."""
    made, to_date, before = [], 0, found.opening
    for place, (slot, units) in enumerate(zip(found.slots, found.units, strict=True)):
        own = _amounts(units, parts)
        total, removed = sum(own), 0
        if found.amounts:
            to_date = found.amounts[place]
            removed, before = max(0, before + sum(units.values()) - to_date), to_date
        else:
            to_date += total
        made.append(Column(slot, own, total, to_date, removed))
    return made


def expected(forecast: Forecast, made: Sequence[Column]) -> Iterator[Expected]:
    """Today by its end, and each day after it."""
    before, so_far = forecast.now, made[-1].total
    for place, point in enumerate(forecast.points):
        slot = Slot(made[-1].slot.starts + place * DAY)
        rest = max(0, point.used - before)
        yield Expected(slot, so_far + rest, rest, point.used, point.low, point.high)
        before, so_far = point.used, 0


def _amounts(units: Mapping[str, int], parts: Sequence[Part]) -> tuple[int, ...]:
    named = [units.get(part.label, 0) for part in parts if part.label is not None]
    return tuple(named) if len(named) == len(parts) else (*named, sum(units.values()) - sum(named))
