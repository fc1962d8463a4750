"""What a period will cost by its end: forecasts priced like the estimate, no further than where requests stop."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from billing.pricing import Bill
from usage.forecasts.forecast import hourly
from usage.money.bills import Quote
from usage.reports.facts import Facts

WHOLE = 10**6  # shares of what is to come


@dataclass(frozen=True, slots=True)
class Outlook:
    """The bill at the period's end, and between which totals it likely lies."""

    bill: Bill
    low: Decimal
    high: Decimal
    is_capped: bool = False  # whether it ends where a spend cap stops something

    @property
    def total(self) -> Decimal:
        return self.bill.total


def outlook(
    quote: Quote, facts: Sequence[Facts], known: Mapping[int, int], *, cap: Decimal | None
) -> Outlook | None:
    """What the plan of `quote` will cost; `facts` are the metrics on it, `known` what is used, by metric id. What can
    be refused stops at `cap`, an amount of overage.

    None where nothing can be forecast yet; a metric without a forecast stays as it is.
    """
    if not any(one.forecast for one in facts):
        return None
    most = None if cap is None else max(cap, quote.bill(known).overage)
    likely, low, high = (_bill(quote, facts, known, part, most) for part in ("used", "low", "high"))
    is_capped = any(one.capped_on or one.is_capped for one in facts)
    return Outlook(likely, min(low.total, likely.total), max(high.total, likely.total), is_capped)


def _bill(
    quote: Quote, facts: Sequence[Facts], known: Mapping[int, int], part: str, most: Decimal | None
) -> Bill:
    """The bill with what is likely of each forecast, its lower or its upper end; past a spend of `most` beyond the
    plan nothing more is used. What stands costs by the hour whatever is refused, so of a level all is counted.
    """
    ends = {one.metric.pk: _ends(one, part) for one in facts}
    coming = {
        one.metric.pk: hourly(one.used, ends[one.metric.pk], one.forecast.at)
        for one in facts
        if one.is_level and one.forecast
    }

    def with_share(share: int) -> Bill:
        return quote.bill({**known, **{one.metric.pk: _part(one, ends, share) for one in facts}}, coming)

    whole = with_share(WHOLE)
    if most is None or whole.overage <= most:
        return whole
    share = bisect_right(range(WHOLE), most, key=lambda share: with_share(share).overage)
    return with_share(max(0, share - 1))


def _ends(one: Facts, part: str) -> list[int]:
    """What will be used by the end of each day that is to come; past a stop nothing more is."""
    if one.forecast is None:
        return [one.used]
    ends, stop = [attrgetter(part)(point) for point in one.forecast.points], one.limit.stop
    if stop is not None:
        ends = [min(end, stop) for end in ends]
    return ends if one.is_level else [max(one.used, end) for end in ends]


def _part(one: Facts, ends: Mapping[int, Sequence[int]], share: int) -> int:
    """What is used once so many millionths of what is to come have come."""
    end = ends[one.metric.pk][-1]
    return end if one.is_level else one.used + (end - one.used) * share // WHOLE
