"""Where a tenant's spend cap stops use, by what PostgreSQL knows alone: for who asks while no account is open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from billing.capstops import Rest, cap_stops
from billing.contracts import Contracts
from billing.limits import Entitlements
from billing.rates import Rates
from usage.money.bills import quotes
from usage.money.levels import HOUR, excess_of, hour_of, spans_of


def cap_stops_now(
    contracts: Contracts, rights: Entitlements, known: Mapping[int, int], at: datetime
) -> dict[str, int]:
    """Cap stops by metric code, as the next account will have them; `known` is what is used, by metric id.

    No query where there is no cap that stops, else two.
    """
    if rights.caps.stop is None:
        return {}
    [quote] = quotes(contracts, rights.tenant, [rights.plan], at)
    return cap_stops(quote.bill(known), rights.caps.stop, _rests(quote.rates, at))


def _rests(rates: Rates, at: datetime) -> dict[str, Rest]:
    hour = hour_of(at)
    levels = {code: rate for code, rate in rates.rates.items() if rate.is_level}
    spans = [
        (code, span) for code in levels for span in spans_of(rates, levels[code], hour + HOUR, since=hour)
    ]
    now = dict.fromkeys(levels, 0)
    for (code, _), excess in zip(spans, excess_of(span for _, span in spans), strict=True):
        now[code] += excess
    hours = (rates.period.ends - hour) // HOUR
    return {code: Rest(rate.steps[-1].included, hours, now[code]) for code, rate in levels.items()}
