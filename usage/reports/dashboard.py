"""What one tenant uses, has left and would pay: everything its overview and `GET /api/usage` say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.contracts import Contracts
from billing.models import Metric, Plan
from billing.periods import Period
from billing.pricing import Bill
from tenants.models import Tenant
from usage.reports.alerts import AlertLine, recent_alerts
from usage.reports.counts import Counts
from usage.reports.labels import Labels, labels
from usage.reports.meters import Meter
from usage.reports.outlook import Outlook
from usage.reports.readings import reading
from usage.reports.summary import Money, Tile, tiles
from usage.reports.verdict import Verdict, verdict
from usage.reports.versions import version_of

ALERTS = 5
LABELS = 4


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A tenant at one moment; `meters` are sorted by risk. `bill` is None for those who see no money."""

    tenant: Tenant
    contracts: Contracts
    plan: Plan
    period: Period
    at: datetime
    counted_to: datetime
    is_live: bool
    is_delayed: bool
    meters: tuple[Meter, ...]
    bill: Bill | None
    outlook: Outlook | None
    alerts: tuple[AlertLine, ...]
    labels: Labels | None
    causes: dict[str, int]  # refusals of the last 24 h

    @property
    def verdict(self) -> Verdict:
        return verdict(self.meters, self.plan, self.period, self.at)

    @property
    def tiles(self) -> list[Tile]:
        money = Money(self.bill, self.outlook) if self.bill else None
        return list(tiles(self.meters, money, self.causes, self.plan, self.period, self.at))

    @property
    def is_unused(self) -> bool:
        """Whether nothing was ever counted: the page explains how to begin."""
        return not any(meter.used or any(meter.trend) or meter.refused for meter in self.meters)

    @property
    def version(self) -> str:
        """Differs whenever the polled parts of the page would look different, except for “counted to”."""
        told = self.verdict
        period = (told.look, told.title, told.reason, told.strip.now, told.strong)
        return version_of(self.meters, period, self.tiles, self.plan.name, self.is_delayed)


def dashboard(tenant: Tenant, at: datetime, *, with_money: bool = True, is_poll: bool = False) -> Dashboard:
    """The tenant's dashboard at `at`: durable totals with the live counts laid over them.

    A poll shows neither alerts nor labels: none are read.
    """
    read = reading(tenant, at, with_money=with_money)
    causes: dict[str, int] = {}
    for by_cause in read.counts.refused.values():
        for cause, refused in by_cause.items():
            causes[cause] = causes.get(cause, 0) + refused
    return Dashboard(
        tenant=tenant,
        contracts=read.contracts,
        plan=read.plan,
        period=read.period,
        at=at,
        counted_to=read.counted_to,
        is_live=read.is_live,
        is_delayed=read.is_delayed,
        meters=read.meters,
        bill=read.bill,
        outlook=read.outlook,
        alerts=() if is_poll else recent_alerts(tenant, at, most=ALERTS),
        labels=None if is_poll else _top_labels(read.meters, read.counts, read.period),
        causes=causes,
    )


def _top_labels(meters: Sequence[Meter], found: Counts, period: Period) -> Labels | None:
    """Where the riskiest metric that adds up is used."""
    for meter in meters:
        if meter.metric.kind == Metric.Kind.SUM:
            units = found.labels(meter.metric.pk, period.first, period.until)
            if units:
                return labels(meter.metric, units, most=LABELS)
    return None
