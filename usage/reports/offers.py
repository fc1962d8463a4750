"""The present period on each plan: what it would cost with what is used and forecast, and what would happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import Plan
from billing.pricing import Bill
from usage import units
from usage.amounts import money, more_or_less
from usage.money.bills import Quote, quotes
from usage.reports import dates
from usage.reports.facts import State
from usage.reports.fits import Fit, fit_of
from usage.reports.meters import Look, Meter
from usage.reports.outlook import Outlook, outlook
from usage.reports.plan_cards import meters_on
from usage.reports.readings import Reading


@dataclass(frozen=True, slots=True)
class Offer:
    """One plan: the bill with the use so far, and by the period's end where that can be said."""

    quote: Quote
    bill: Bill
    outlook: Outlook | None
    meters: tuple[Meter, ...]  # riskiest first
    fit: Fit
    is_current: bool

    @property
    def plan(self) -> Plan:
        return self.quote.plan

    @property
    def expected(self) -> Bill:
        """By the period's end; as it stands where nothing is forecast yet."""
        return self.outlook.bill if self.outlook else self.bill

    @property
    def look(self) -> Look:
        """What would happen: where a forecast says that all fits, it lasts."""
        lasts = self.fit.is_fitting and self.outlook
        return Look(State.OK.value, _("Lasts the period")) if lasts else self.fit.look

    @property
    def base(self) -> str:
        return money(self.expected.base_fee)

    @property
    def usage(self) -> str:
        return money(self.expected.overage)

    @property
    def total(self) -> str:
        return money(self.expected.total)

    @property
    def left_out(self) -> str:
        """Why it is not worth a row: what is used already does not fit."""
        worst = self.meters[0]
        facts = {
            "plan": self.plan.name,
            "used": units.of_quantity(worst.metric, worst.used),
            "size": worst.size_text,
        }
        if units.is_plural(worst.metric):
            return _("%(plan)s is left out: %(used)s do not fit its %(size)s.") % facts
        return _("%(plan)s is left out: %(used)s does not fit its %(size)s.") % facts


@dataclass(frozen=True, slots=True)
class Offers:
    """The tenant's own plan among those it may have, in their order; `left_out` has those that are hopeless."""

    own: Offer
    rows: tuple[Offer, ...]
    left_out: tuple[Offer, ...]
    last_day: str

    @property
    def priced(self) -> list[tuple[Offer, str]]:
        """Each plan, and what it would cost more or less than the tenant's own; empty for that one."""
        return [(one, "" if one.is_current else more_or_less(self._more(one))) for one in self.rows]

    @property
    def with_use(self) -> str:
        """Which use is priced."""
        if self.own.outlook:
            return _("With use as forecast for %(day)s") % {"day": self.last_day}
        return _("With use so far: there is no forecast yet")

    def _more(self, offer: Offer) -> Decimal:
        return offer.expected.total - self.own.expected.total


def offers(now: Reading) -> Offers:
    """Every plan on offer, and the tenant's own. One query."""
    asked = quotes(now.contracts, now.tenant, now.contracts.offered(now.plan), now.at)
    found = [_offer(now, quote) for quote in asked]
    own = next(one for one in found if one.is_current)
    left_out = tuple(_hopeless(found, own))
    rows = tuple(one for one in found if one not in left_out)
    return Offers(own, rows, left_out, dates.short(now.period.last_day))


def _offer(now: Reading, quote: Quote) -> Offer:
    is_current = quote.plan.pk == now.plan.pk
    rights = now.contracts.entitlements(now.tenant, now.at, plan=quote.plan)
    meters = now.meters if is_current else tuple(sorted(meters_on(now, rights), key=lambda one: one.risk))
    known = now.counts.totals
    fit = fit_of(now.meters, meters, is_current=is_current)
    found = outlook(quote, meters, known, cap=rights.caps.stop)
    return Offer(quote, quote.bill(known), found, meters, fit, is_current)


def _hopeless(found: Sequence[Offer], own: Offer) -> Iterator[Offer]:
    """Plans that present use does not fit, but for the one next below the tenant's own: it shows what is missing."""
    place = found.index(own)
    for number, one in enumerate(found):
        if not one.is_current and one.fit.state == State.FULL and number != place - 1:
            yield one
