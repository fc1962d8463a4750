"""Where tenants are by what PostgreSQL knows: what they may use, have durably used, and owe for it so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.contracts import Contracts
from billing.entitlements import Entitlements
from billing.periods import period_at
from billing.pricing import Bill, Use, bill
from billing.rates import Rates
from tenants.arrays import among
from tenants.models import Tenant
from usage.metering import ledger
from usage.metering.ledger import NOTHING, Totals
from usage.money import accruals


@dataclass(frozen=True, slots=True)
class Position:
    """One tenant in its present period; `used` and `refused` by metric code.

    `spent`: what its use costs beside the base fee. `totals`: what all of that was read from, for all tenants.
    """

    tenant_id: int
    rights: Entitlements
    used: Mapping[str, int]
    refused: Mapping[str, int]
    rates: Rates
    spent: Bill
    totals: Totals

    @property
    def tenant(self) -> Tenant:
        return self.rights.tenant


def locked(tenant_ids: Iterable[int]) -> list[Tenant]:
    """The tenants' rows: two who judge the same tenant take turns, so that the later one knows all of the first."""
    rows = Tenant.objects.filter(among("pk", tenant_ids)).select_for_update(no_key=True)
    return list(rows.order_by("pk"))


def positions(tenants: Sequence[Tenant], at: datetime) -> list[Position]:
    """Where they are at `at`, in their order. Call it with their rows locked; the number of queries is fixed."""
    periods = {tenant.pk: period_at(tenant, at) for tenant in tenants}
    contracts = Contracts(tenants, min((one.starts for one in periods.values()), default=at))
    rights = [contracts.entitlements(tenant, at) for tenant in tenants]
    totals = ledger.totals((pk, period.first) for pk, period in periods.items())
    rates = [contracts.rates(tenant, periods[tenant.pk], at) for tenant in tenants]
    excess = accruals.accrued(rates, totals, at)
    return [_position(may, rate, totals, excess) for may, rate in zip(rights, rates, strict=True)]


def _position(
    rights: Entitlements, rates: Rates, totals: Totals, excess: Mapping[tuple[int, int], int]
) -> Position:
    pk, hours = rights.tenant.pk, rates.period.days * 24
    found = {code: totals.get((pk, limit.metric_id), NOTHING) for code, limit in rights.limits.items()}
    used = {code: total.used for code, total in found.items()}
    charged = {code: rate for code, rate in rates.rates.items() if rate.price.tiers}
    uses = {
        code: Use(used[code], excess.get((pk, rate.metric_id), 0), hours)
        if rate.is_level
        else Use(used[code])
        for code, rate in charged.items()
    }
    spent = bill((), {code: rate.price for code, rate in charged.items()}, uses)
    refused = {code: total.refused for code, total in found.items()}
    return Position(pk, rights, used, refused, rates, spent, totals)
