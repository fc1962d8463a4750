"""A metric's chart as a table: the same slots, for those who read numbers, and for files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from billing.models import Metric
from usage import units
from usage.reports.columns import Column, Expected, Part
from usage.reports.slots import Slot
from usage.reports.windows import Window

Values = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One slot: base units in the order of the table's heads; none where there is nothing to say."""

    key: str
    iso: str
    text: str
    values: Values
    cells: tuple[str, ...]  # the same as people read them
    is_expected: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Its heads are those of the columns of numbers."""

    first_head: str
    heads: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns a table has: of a level how it moved, else its parts, their sum, and the period to date."""

    metric: Metric
    window: Window
    parts: Sequence[Part]
    is_filtered: bool
    has_forecast: bool

    @property
    def is_standing(self) -> bool:
        """Whether it says what a level stood at: nobody knows that of one label."""
        return self.metric.kind == Metric.Kind.LEVEL and not self.is_filtered

    @property
    def has_parts(self) -> bool:
        return len(self.parts) > 1

    @property
    def has_sum(self) -> bool:
        """Whether a total to date has a meaning."""
        return self.window.period is not None and not self.is_filtered

    @property
    def total_head(self) -> str:
        """What the sum of a slot is."""
        if self.metric.kind == Metric.Kind.LEVEL:
            return _("Added")
        if self.metric.kind == Metric.Kind.DISTINCT:
            return _("First seen")
        return _("Hour total") if self.window.is_hourly else _("Day total")

    @property
    def heads(self) -> Iterator[str]:
        if self.is_standing:
            yield from (_("Added"), _("Removed"), _("At its end"))
        else:
            yield from (part.name for part in self.parts if self.has_parts)
            yield self.total_head
            if self.has_sum:
                yield _("Period to date")
        if self.has_forecast:
            yield from (_("At least"), _("At most"))

    def counted(self, one: Column) -> Values:
        band = (None, None) if self.has_forecast else ()
        if self.is_standing:
            return (one.total, one.removed, one.to_date, *band)
        parts, to_date = one.parts if self.has_parts else (), (one.to_date,) if self.has_sum else ()
        return (*parts, one.total, *to_date, *band)

    def expected(self, one: Expected) -> Values:
        if self.is_standing:
            return (None, None, one.to_date, one.low, one.high)
        nothing = (None,) * len(self.parts) if self.has_parts else ()
        return (*nothing, one.total, one.to_date, one.low, one.high)


def table(layout: Layout, made: Sequence[Column], ahead: Sequence[Expected]) -> Table:
    """The columns so far, then the days that are forecast: today by its end is one of them."""
    head = _("Hour (UTC)") if layout.window.is_hourly else _("Day (UTC)")
    rows = [_row(layout, one.slot.key, one.slot, layout.counted(one)) for one in made]
    for place, one in enumerate(ahead):
        key = one.slot.key if place else f"{one.slot.key}-end"
        rows.append(_row(layout, key, one.slot, layout.expected(one), is_expected=True))
    return Table(head, tuple(layout.heads), tuple(rows))


def _row(layout: Layout, key: str, slot: Slot, values: Values, *, is_expected: bool = False) -> TableRow:
    cells = tuple("–" if one is None else units.number(layout.metric, one) for one in values)
    # Over the turn of a year days come twice.
    text = slot.text if layout.window.first.year == layout.window.last.year else slot.dated
    return TableRow(key, slot.iso, text, values, cells, is_expected)
