"""The bill of three services over four tenants, as docs/money.md works it out by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.costs.bills import TypedRow, type_bill
from billing.models import Allocation, CostBill, CostLine, CostRow, CostRule, Metric, Plan
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.conftest import LONG_AGO
from usage.costs.months import Month
from usage.metering import ledger
from usage.metering.ledger import Counts

NOVEMBER = Month(date(2026, 11, 1))
AT = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
SETTLED = datetime(2026, 12, 2, 1, 0, tzinfo=UTC)  # a day and an hour after November
Driver = CostRule.Driver

CALLS = {"acme": 60_000, "birch": 25_000, "cedar": 15_000, "dune": 0}
PLANS = {"acme": "starter", "birch": "pro", "cedar": "pro", "dune": "enterprise"}
ROWS = (
    TypedRow("Compute", Decimal("612.4668")),
    TypedRow("Storage", Decimal("120.004"), sub_account="acme"),
    TypedRow("Storage", Decimal("80.0025"), sub_account="birch"),
    TypedRow("Storage", Decimal("87.5235"), sub_account="zeta"),
    TypedRow("Support", Decimal("100.0032")),
)


@dataclass(frozen=True)
class FourTenants:
    """Acme, Birch, Cedar and Dune, which uses nothing; the bill and the rules."""

    tenants: dict[str, Tenant]
    bill: CostBill

    def __getitem__(self, slug: str) -> Tenant:
        return self.tenants[slug]


def four_tenants() -> FourTenants:
    tenants = {slug: _tenant(slug) for slug in CALLS}
    metric, share = Metric.objects.get(code="api_calls"), CostRule.Sharing.PROPORTIONAL
    rules: dict[str, dict[str, Any]] = {
        "Compute": {"driver": Driver.METRIC, "metric": metric},
        "Storage": {"driver": Driver.ACCOUNT},
        "Support": {"driver": Driver.SHARED, "sharing": share},
    }
    for position, (name, fields) in enumerate(rules.items(), 1):
        CostRule.objects.create(position=position, name=name, service=name.lower(), **fields)
    for slug, calls in CALLS.items():
        if calls:
            use(tenants[slug], calls)
    return FourTenants(tenants, type_bill("AWS", NOVEMBER.first, ROWS, author=None, at=AT))


def bill_again(*rows: TypedRow, provider: str = "AWS") -> CostBill:
    return type_bill(provider, NOVEMBER.first, rows, author=None, at=AT)


def use(tenant: Tenant, calls: int, *, epoch: int = 1) -> None:
    """Calls in one hour of November, as the flush keeps them."""
    hour = datetime(2026, 11, 20, 12, tzinfo=UTC)
    ledger.make_partitions([NOVEMBER.first])
    metric = Metric.objects.get(code="api_calls").pk
    ledger.keep(
        Counts(
            hours=[(tenant.pk, metric, hour, "GET", epoch, calls)],
            periods=[(tenant.pk, metric, NOVEMBER.first, epoch, calls, 0)],
        )
    )


def borne(allocation: Allocation) -> dict[str, tuple[str, str, str]]:
    """Revenue, cost and margin by slug, and of what nobody bears by its kind."""
    rows = allocation.shares.select_related("tenant").order_by("pk")
    return {
        row.tenant.slug if row.tenant else row.kind: (str(row.revenue), str(row.cost), str(row.margin))
        for row in rows
    }


def lines(allocation: Allocation) -> dict[str, tuple[str, str, str, str]]:
    """What of each service goes to tenants, is shared, is unallocated, and its amount."""
    return {
        one.service: (str(one.to_tenants), str(one.shared), str(one.unallocated), str(one.amount))
        for one in CostLine.objects.filter(allocation=allocation)
    }


def rows_of(bill: CostBill) -> int:
    return CostRow.objects.filter(bill=bill).count()


def _tenant(slug: str) -> Tenant:
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), created_at=LONG_AGO)
    subscribe(tenant, Plan.objects.get(slug=PLANS[slug]), at=LONG_AGO, actor=None, reason="test")
    return tenant
