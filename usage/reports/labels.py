"""Use by label: the largest ones, and all others in one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from billing.models import Metric
from usage import units
from usage.reports.charts import percent, share

OTHER = "other"  # counting itself puts what is beyond 50 labels an hour under this name


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label's units; `width` is against the largest label, in %."""

    label: str
    is_code: bool
    units: int
    number: str
    share: str
    width: str
    change: str  # against the period before; empty where not asked for
    address: str = ""  # of the page with this label alone
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """A metric's labels, the largest first, then the rest, then the total."""

    metric: Metric
    rows: tuple[LabelRow, ...]
    total: int
    number: str
    change: str

    @property
    def unit(self) -> str:
        """The head of the column of numbers: “Calls”."""
        return self.metric.noun.capitalize()


def labels(
    metric: Metric,
    found: Mapping[str, int],
    *,
    most: int,
    before: Mapping[str, int] | None = None,
    address_of: Callable[[str], str] | None = None,
    chosen: str | None = None,
) -> Labels:
    """`found` (units by label, the largest first) cut after `most`; `before`: the same for the period before.

    `address_of`: where one label alone is shown, which `chosen` is already.
    """
    named = [label for label in found if label != OTHER][:most]
    rest = [label for label in found if label not in named]
    total, highest = sum(found.values()), max(found.values(), default=0)

    def row(label: str, is_code: bool, of: list[str]) -> LabelRow:
        amount = sum(found[one] for one in of)
        was = None if before is None else sum(before.get(one, 0) for one in of)
        return LabelRow(
            label=label,
            is_code=is_code,
            units=amount,
            number=units.number(metric, amount),
            share=f"{percent(amount, total)} %",
            width=share(min(amount, highest), highest),
            change="" if was is None else change(amount, was),
            address=address_of(of[0]) if address_of and len(of) == 1 else "",
            is_chosen=chosen is not None and of == [chosen],
        )

    rows = [row(label or _("no label"), bool(label), [label]) for label in named]
    if rest:
        # How many labels are in counting's own “other” nobody knows.
        rows.append(row(_("Other") if OTHER in rest else _("Other (%d)") % len(rest), False, rest))
    was = None if before is None else sum(before.values())
    return Labels(
        metric, tuple(rows), total, units.number(metric, total), "" if was is None else change(total, was)
    )


def change(now: int, before: int) -> str:
    """“+18 %”, “−7 %”; new where there was nothing before."""
    if not before:
        return _("new") if now else "–"
    moved = round((now - before) * 100 / before)
    return f"{'−' if moved < 0 else '+' if moved else ''}{abs(moved)} %"
