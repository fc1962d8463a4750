"""What periods cost: so far while they last, in all once they are over. The only place where use meets prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from billing.contracts import Contracts
from billing.models import Plan
from billing.periods import Period, period_at
from billing.pricing import Bill, Use, bill
from billing.rates import Key, Rates
from tenants.models import Tenant
from usage.money.uses import excess_over, uses_of


def bills(wanted: Iterable[tuple[Tenant, Period]], at: datetime) -> dict[Key, Bill]:
    """The bill of each tenant's period as it stands at `at`, by tenant id and period; nine queries for all."""
    return priced(rates_of(wanted, at), at)


def bill_so_far(tenant: Tenant, at: datetime) -> Bill:
    """The bill of the tenant's present period."""
    period = period_at(tenant, at)
    return bills([(tenant, period)], at)[tenant.pk, period]


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


def what_if(
    contracts: Contracts, tenant: Tenant, plans: Iterable[Plan], known: Mapping[int, int], at: datetime
) -> list[Bill]:
    """What the present period would cost had it been on each plan from its first day; on its own, what it does cost.

    `known`: units of sums and members of distincts, and what levels stand at, by metric id. One query.
    """
    period, own = period_at(tenant, at), contracts.plan(tenant, at)
    rates = [contracts.rates(tenant, period, at, plan=None if plan.pk == own.pk else plan) for plan in plans]
    excess = excess_over(rates, at)
    return [
        bill(
            one.fees,
            one.prices,
            {
                code: Use(known.get(rate.metric.pk, 0), excess[index, code], period.days * 24)
                if rate.is_level
                else Use(known.get(rate.metric.pk, 0))
                for code, rate in one.rates.items()
            },
        )
        for index, one in enumerate(rates)
    ]
