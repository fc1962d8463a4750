"""Where a tenant's spend cap stops use, by what PostgreSQL knows alone: for who asks while no account is open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from billing.capstops import Rest, cap_stops
from billing.contracts import Contracts
from billing.limits import Entitlements
from usage.money.bills import Quote, quotes
from usage.money.levels import HOUR, hour_of


def cap_stops_now(
    contracts: Contracts,
    rights: Entitlements,
    known: Mapping[int, int],
    at: datetime,
    quote: Quote | None = None,
) -> dict[str, int]:
    """Cap stops by metric code, as the next account will have them; `known` is what is used, by metric id.

    `quote`: how the period is priced on the tenant's plan, where the caller knows. No query where there is no cap that
    stops, else one without the quote.
    """
    if rights.caps.stop is None:
        return {}
    if quote is None:
        [quote] = quotes(contracts, rights.tenant, [rights.plan], at)
    return cap_stops(quote.bill(known), rights.caps.stop, _rests(quote, at))


def _rests(quote: Quote, at: datetime) -> dict[str, Rest]:
    hours = (quote.rates.period.ends - hour_of(at)) // HOUR
    return {
        code: Rest(quote.rates.rates[code].steps[-1].included, hours, excess.now)
        for code, excess in quote.excess.items()
    }
