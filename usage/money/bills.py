"""What periods cost: so far while they last, in all once they are over. The only place where use meets prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from billing.contracts import Contracts
from billing.models import Plan
from billing.periods import Period, period_at
from billing.pricing import Bill, Use, bill
from billing.rates import Key, Rate, Rates
from tenants.models import Tenant
from usage.money.uses import Excess, excess_over, uses_of

NOTHING_COMES: Mapping[int, Sequence[int]] = MappingProxyType({})


def bills(wanted: Iterable[tuple[Tenant, Period]], at: datetime) -> dict[Key, Bill]:
    """The bill of each tenant's period as it stands at `at`, by tenant id and period; nine queries for all."""
    return priced(rates_of(wanted, at), at)


def bill_so_far(tenant: Tenant, at: datetime) -> Bill:
    """The bill of the tenant's present period."""
    period = period_at(tenant, at)
    return bills([(tenant, period)], at)[tenant.pk, period]


def overage_so_far(tenant: Tenant, at: datetime) -> Decimal:
    """What the tenant's use beyond its plan costs in its present period."""
    return bill_so_far(tenant, at).overage


def rates_of(wanted: Iterable[tuple[Tenant, Period]], at: datetime) -> list[Rates]:
    """What each tenant's period is billed by, in their order."""
    pairs = list(wanted)
    if not pairs:
        return []
    contracts = Contracts([tenant for tenant, _ in pairs], min(period.starts for _, period in pairs))
    return [contracts.rates(tenant, period, at) for tenant, period in pairs]


def priced(rates: Sequence[Rates], at: datetime) -> dict[Key, Bill]:
    """The bills by these rates."""
    uses = uses_of(rates, at)
    return {one.key: bill(one.fees, one.prices, used) for one, used in zip(rates, uses, strict=True)}


@dataclass(frozen=True, slots=True)
class Quote:
    """How a tenant's present period is priced on a plan; `excess`: of its levels, by metric code."""

    rates: Rates
    excess: Mapping[str, Excess]

    @property
    def plan(self) -> Plan:
        return self.rates.plan

    def bill(self, known: Mapping[int, int], coming: Mapping[int, Sequence[int]] = NOTHING_COMES) -> Bill:
        """What the period costs with so much used. `known`: units of sums and members of distincts, and what levels
        stand at, by metric id; `coming`: what levels will stand at in each of the hours that follow.
        """
        uses = {code: self._use(code, rate, known, coming) for code, rate in self.rates.rates.items()}
        return bill(self.rates.fees, self.rates.prices, uses)

    def _use(
        self, code: str, rate: Rate, known: Mapping[int, int], coming: Mapping[int, Sequence[int]]
    ) -> Use:
        used = known.get(rate.metric.pk, 0)
        if not rate.is_level:
            return Use(used)
        included = rate.steps[-1].included
        more = 0
        if included is not None and rate.price.tiers:
            more = sum(max(0, amount - included) for amount in coming.get(rate.metric.pk, ()))
        return Use(used, self.excess[code].whole + more, self.rates.period.days * 24)


def quotes(contracts: Contracts, tenant: Tenant, plans: Iterable[Plan], at: datetime) -> list[Quote]:
    """The present period had it been on each plan from its first day; on the tenant's own, as it was. One query."""
    return quotes_of(contracts, [(tenant, plan) for plan in plans], at)


def quotes_of(contracts: Contracts, wanted: Iterable[tuple[Tenant, Plan]], at: datetime) -> list[Quote]:
    """The same for plans of several tenants. One query."""
    rates = [_rates_if(contracts, tenant, plan, at) for tenant, plan in wanted]
    excess = excess_over(rates, at)
    return [
        Quote(one, {code: excess[index, code] for code, rate in one.rates.items() if rate.is_level})
        for index, one in enumerate(rates)
    ]


def _rates_if(contracts: Contracts, tenant: Tenant, plan: Plan, at: datetime) -> Rates:
    is_own = plan.pk == contracts.plan(tenant, at).pk
    return contracts.rates(tenant, period_at(tenant, at), at, plan=None if is_own else plan)


def what_if(
    contracts: Contracts, tenant: Tenant, plans: Iterable[Plan], known: Mapping[int, int], at: datetime
) -> list[Bill]:
    """What the present period would cost on each plan with so much used; on its own, what it does cost. One query."""
    return [quote.bill(known) for quote in quotes(contracts, tenant, plans, at)]
