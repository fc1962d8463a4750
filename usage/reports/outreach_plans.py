"""What many tenants would pay on each plan by the end of their periods, and which of them suits each best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.contracts import Contracts
from billing.models import Plan
from billing.periods import period_at
from billing.pricing import price_of
from tenants.models import Tenant
from usage.forecasts.forecast import Forecast
from usage.forecasts.rests import forecast_by
from usage.metering import expectations, ledger
from usage.money.bills import Quote, quotes_of
from usage.reports.facts import Facts
from usage.reports.outlook import outlook


@dataclass(frozen=True, slots=True)
class Option:
    """A plan: the period's bill on it as forecast, how much of that lies beyond it, and whether nothing is refused."""

    plan: Plan
    total: Decimal
    overage: Decimal
    is_enough: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """The tenant's own plan, and the cheapest on offer on which nothing is refused; none where its own is that."""

    own: Option
    best: Option | None

    @property
    def difference(self) -> Decimal:
        """What the tenant would pay more (we would take more); negative where it would pay less."""
        return self.best.total - self.own.total if self.best else Decimal(0)


class Book:
    """What is known of some tenants: contracts, totals and forecasts. Ten queries at most, however many they are."""

    def __init__(self, tenants: Sequence[Tenant], at: datetime) -> None:
        self._at, self._tenants = at, tenants
        self._periods = {tenant.pk: period_at(tenant, at) for tenant in tenants}
        since = min((period.starts for period in self._periods.values()), default=at)
        self._contracts = Contracts(tenants, since, is_read_only=True)
        self._known: dict[int, dict[int, int]] = {tenant.pk: {} for tenant in tenants}
        totals = ledger.totals((pk, period.first) for pk, period in self._periods.items())
        for (pk, metric), total in totals.items():
            self._known[pk][metric] = total.used
        coming = expectations.coming(self._periods.items(), at)
        self._rests: Mapping[tuple[int, int], list[int]] = expectations.rests(coming, at)

    def advices(self) -> list[Advice]:
        """In the order of the tenants. One query."""
        options = self._options(self._tenants)
        return [self._advice(tenant, options[tenant.pk]) for tenant in self._tenants]

    def options(self, tenant: Tenant) -> list[Option]:
        """One tenant's: every plan on offer, and its own."""
        return self._options([tenant])[tenant.pk]

    def _options(self, tenants: Iterable[Tenant]) -> dict[int, list[Option]]:
        wanted = [(tenant, plan) for tenant in tenants for plan in self._offered(tenant)]
        options: dict[int, list[Option]] = {}
        for (tenant, _plan), quote in zip(wanted, quotes_of(self._contracts, wanted, self._at), strict=True):
            options.setdefault(tenant.pk, []).append(self._option(tenant, quote))
        return options

    def _offered(self, tenant: Tenant) -> list[Plan]:
        return self._contracts.offered(self._contracts.plan(tenant, self._at))

    def _advice(self, tenant: Tenant, options: Sequence[Option]) -> Advice:
        present = self._contracts.plan(tenant, self._at)
        own = next(one for one in options if one.plan.pk == present.pk)
        # Of two at one price the own one, then the one that comes first.
        enough = [one for one in (own, *options) if one.is_enough]
        best = min(enough, key=lambda one: one.total, default=own)
        return Advice(own, None if best is own else best)

    def _option(self, tenant: Tenant, quote: Quote) -> Option:
        rights = self._contracts.entitlements(tenant, self._at, plan=quote.plan)
        known = self._known[tenant.pk]
        facts = [
            Facts(
                metric=limit.metric,
                limit=limit,
                price=price_of(limit.allowance, limit.included),
                used=known.get(limit.metric.pk, 0),
                period=rights.period,
                at=self._at,
                trend=(),
                refused=0,
                amount=None,
                forecast=self._forecast(tenant, limit.metric.pk),
            )
            for limit in rights.limits.values()
        ]
        found = outlook(quote, facts, known, cap=rights.caps.stop)
        bill = found.bill if found else quote.bill(known)
        return Option(quote.plan, bill.total, bill.overage, is_enough=not any(_refused(facts, known)))

    def _forecast(self, tenant: Tenant, metric: int) -> Forecast | None:
        rest = self._rests.get((tenant.pk, metric))
        if rest is None:
            return None
        now = self._known[tenant.pk].get(metric, 0)
        return forecast_by(rest, now, self._periods[tenant.pk], self._at)


def _refused(facts: Sequence[Facts], known: Mapping[int, int]) -> Iterator[bool]:
    """Of each metric whether some of its use is refused, or will be: at its stop, or without a place in the plan."""
    for one in facts:
        yield one.limit.stop is not None and max(one.used, one.expected) >= one.limit.stop and one.used > 0
    there = {one.metric.pk for one in facts}
    yield any(used for metric, used in known.items() if metric not in there)
