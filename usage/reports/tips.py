"""What each slot of a chart says when it is pointed at or focused, and the texts at the chart's foot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from billing.models import Metric
from usage import units
from usage.reports import dates
from usage.reports.charts import number
from usage.reports.columns import Column, Expected
from usage.reports.shapes import TIP_WIDTH, Mark, Tip
from usage.reports.slots import Slot

MOST = 120  # slots; bars of more are too narrow to point at: the table has them
LINE, HEAD, LONGEST = 16, 41, 16  # px, px, letters


def tips(
    metric: Metric,
    slots: Sequence[Slot],
    made: Sequence[Column],
    ahead: Sequence[Expected],
    *,
    series: Sequence[str],
    is_standing: bool,
    has_sum: bool,
) -> Iterator[Tip]:
    """One for each slot that has begun or is forecast; `series`: the names of the parts, empty for a single one."""
    if len(slots) > MOST:
        return
    for place, one in enumerate(made):
        rows = [(name, units.number(metric, part)) for name, part in zip(series, one.parts, strict=False)]
        sums = list(_sums(metric, one, is_standing=is_standing, has_sum=has_sum))
        yield _tip(one.slot, one.slot.text, place, len(slots), rows, sums)
    for place, day in enumerate(ahead[1:], len(made)):
        title = _("%(day)s, forecast") % {"day": day.slot.text}
        sums = list(_sums(metric, day, is_standing=is_standing, has_sum=has_sum))
        sums += [
            (_("At least"), units.number(metric, day.low)),
            (_("At most"), units.number(metric, day.high)),
        ]
        yield _tip(day.slot, title, place, len(slots), [], sums)


def marks(slots: Sequence[Slot]) -> Iterator[Mark]:
    """Some of the days, with the month where it is new; every sixth hour."""
    month, pitch = 0, 100 / len(slots)
    for place, index in enumerate(_marked(slots)):
        slot = slots[index]
        text = dates.short(slot.on) if slot.on.month != month else str(slot.on.day)
        if slot.is_hour and slot.starts.hour:
            text = f"{slot.starts:%H:%M}"
        month = 0 if slot.is_hour else slot.on.month
        yield Mark(number((index + 0.5) * pitch), text, place % 2 == 1)


def _marked(slots: Sequence[Slot]) -> list[int]:
    """Which slots have a text below them."""
    if slots[0].is_hour:
        return [index for index, slot in enumerate(slots) if slot.starts.hour % 6 == 0]
    if len(slots) > MOST:
        return [index for index, slot in enumerate(slots) if slot.on.day == 1]
    step = 1 if len(slots) <= 10 else 5 if len(slots) <= 31 else 10
    return sorted({0, *range(step - 1, len(slots), step)})


def _sums(
    metric: Metric, one: Column | Expected, *, is_standing: bool, has_sum: bool
) -> Iterator[tuple[str, str]]:
    if is_standing:
        yield _("At its end"), units.number(metric, one.to_date)
        return
    yield _("Hour") if one.slot.is_hour else _("Day"), units.number(metric, one.total)
    if has_sum:
        yield _("To date"), units.number(metric, one.to_date)


def _tip(
    slot: Slot,
    title: str,
    place: int,
    slots: int,
    rows: Sequence[tuple[str, str]],
    sums: Sequence[tuple[str, str]],
) -> Tip:
    is_left, pitch = place < slots / 2, 100 / slots
    begin = HEAD + LINE * len(rows) + (2 if rows else 0)
    return Tip(
        key=slot.key,
        spoken=f"{title}: " + ", ".join(f"{name} {figure}" for name, figure in sums),
        x=number(place * pitch),
        width=number(pitch),
        at=number((place + is_left) * pitch),
        shift=8 if is_left else -TIP_WIDTH - 8,
        height=begin + (LINE - 1) * (len(sums) - 1) + 20,
        title=title,
        rows=tuple(
            (HEAD + LINE * index, name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…", figure)
            for index, (name, figure) in enumerate(rows)
        ),
        sums=tuple((begin + (LINE - 1) * index, name, figure) for index, (name, figure) in enumerate(sums)),
    )
