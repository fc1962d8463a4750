"""What a period will cost by its end: forecasts priced like the estimate, no further than where requests stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from billing.pricing import Bill
from usage.money.bills import Quote
from usage.reports.facts import Facts
from usage.reports.forecast import hourly


@dataclass(frozen=True, slots=True)
class Outlook:
    """The bill at the period's end, and between which totals it likely lies."""

    bill: Bill
    low: Decimal
    high: Decimal

    @property
    def total(self) -> Decimal:
        return self.bill.total


def outlook(quote: Quote, facts: Sequence[Facts], known: Mapping[int, int]) -> Outlook | None:
    """What the plan of `quote` will cost; `facts` are the metrics on it, `known` what is used, by metric id.

    None where nothing can be forecast yet; a metric without a forecast stays as it is.
    """
    if not any(one.forecast for one in facts):
        return None
    likely, low, high = (_bill(quote, facts, known, part) for part in ("used", "low", "high"))
    return Outlook(likely, min(low.total, likely.total), max(high.total, likely.total))


def _bill(quote: Quote, facts: Sequence[Facts], known: Mapping[int, int], part: str) -> Bill:
    """The bill with the part of each forecast: what is likely, its lower or its upper end."""
    units = {one.metric.pk: _ends(one, part) for one in facts}
    coming = {
        one.metric.pk: hourly(one.used, units[one.metric.pk], one.forecast.at)
        for one in facts
        if one.is_level and one.forecast
    }
    return quote.bill({**known, **{pk: ends[-1] for pk, ends in units.items()}}, coming)


def _ends(one: Facts, part: str) -> list[int]:
    """What will be used by the end of each day that is to come; past a stop nothing more is."""
    if one.forecast is None:
        return [one.used]
    ends = [attrgetter(part)(point) for point in one.forecast.points]
    for stop in (one.limit.stop, one.cap_stop):
        ends = ends if stop is None else [min(end, max(stop, one.used)) for end in ends]
    return ends if one.is_level else [max(one.used, end) for end in ends]
