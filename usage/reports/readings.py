"""Reads how a tenant stands: durable totals with the live counts laid over them, as one meter per metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from billing.contracts import Contracts
from billing.entitlements import Entitlements
from billing.models import Metric, Plan
from billing.periods import Period, period_at, period_before
from billing.pricing import Bill, price_of
from tenants.models import Tenant
from usage.forecasts.forecast import Forecast, forecast, settled
from usage.forecasts.histories import LOOKED_BACK, horizon, level_window
from usage.metering import Gauge, is_delayed, peek
from usage.models import Standing
from usage.money.bills import Quote, quotes
from usage.money.capstops import cap_stops_now
from usage.reports.counts import Counts, counts
from usage.reports.meters import Meter
from usage.reports.outlook import Outlook, outlook


@dataclass(frozen=True, slots=True)
class Reading:
    """A tenant's meters, sorted by risk. `bill` and `outlook` are None for those who see no money.

    While Redis does not answer (`is_delayed`) the counts are those of the last flush, at `counted_to`.
    """

    tenant: Tenant
    contracts: Contracts
    plan: Plan
    period: Period
    at: datetime
    counted_to: datetime
    is_live: bool
    is_delayed: bool
    counts: Counts
    meters: tuple[Meter, ...]
    bill: Bill | None
    outlook: Outlook | None  # what it will be; none while nothing can be forecast


def reading(tenant: Tenant, at: datetime, *, with_money: bool = True) -> Reading:
    """How `tenant` stands at `at`."""
    return read(contracts_of(tenant, at), tenant, at, with_money=with_money)


def contracts_of(tenant: Tenant, at: datetime) -> Contracts:
    """All that is written about the tenant's present period."""
    return Contracts([tenant], period_at(tenant, at).starts, is_read_only=True)


def read(contracts: Contracts, tenant: Tenant, at: datetime, *, with_money: bool) -> Reading:
    """How the tenant stands to what `contracts` give it at `at`."""
    rights = contracts.entitlements(tenant, at)
    gauges = peek(tenant, at)
    found = counts(tenant, rights.period, at, first=horizon(tenant, rights.period, at.astimezone(UTC).date()))
    lay_over(found, gauges)
    [quote] = quotes(contracts, tenant, [rights.plan], at) if with_money else [None]
    bill = quote.bill(found.totals) if quote else None
    stops = _cap_stops(contracts, rights, found, gauges, at, quote)
    meters = sorted(_meters(rights, found, bill, stops, at), key=lambda meter: meter.risk)
    is_late = gauges is None and is_delayed()
    return Reading(
        tenant=tenant,
        contracts=contracts,
        plan=rights.plan,
        period=rights.period,
        at=at,
        counted_to=_last_flush(rights) if is_late else at,
        is_live=gauges is not None,
        is_delayed=is_late,
        counts=found,
        meters=tuple(meters),
        bill=bill,
        outlook=outlook(quote, meters, found.totals, cap=rights.caps.stop) if quote else None,
    )


def meters_of(rights: Entitlements, at: datetime) -> tuple[tuple[Meter, ...], bool]:
    """The meters of `rights` without money, sorted by risk, and whether they are live; one query.

    Where nothing is live it is not said where a spend cap stops something.
    """
    gauges = peek(rights.tenant, at)
    first = horizon(rights.tenant, rights.period, at.astimezone(UTC).date())
    found = counts(rights.tenant, rights.period, at, first=first)
    lay_over(found, gauges)
    stops = {gauge.metric.code: gauge.cap_stop for gauge in gauges or ()}
    meters = sorted(_meters(rights, found, None, stops, at), key=lambda meter: meter.risk)
    return tuple(meters), gauges is not None


def lay_over(found: Counts, gauges: Sequence[Gauge] | None) -> None:
    """Take over the live counts: of a level as they are, of what only moves up the higher number."""
    for gauge in gauges or ():
        durable = found.totals.get(gauge.metric.pk, 0)
        is_level = gauge.metric.kind == Metric.Kind.LEVEL
        found.totals[gauge.metric.pk] = gauge.used if is_level else max(durable, gauge.used)


def _last_flush(rights: Entitlements) -> datetime:
    """When the tenant's counts were last written down."""
    standing = Standing.objects.filter(tenant=rights.tenant).first()
    return standing.counted_at if standing else rights.period.starts


def _cap_stops(
    contracts: Contracts,
    rights: Entitlements,
    found: Counts,
    gauges: Sequence[Gauge] | None,
    at: datetime,
    quote: Quote | None,
) -> Mapping[str, int | None]:
    """Where the spend cap stops each metric: as accounts have it, else as the next one will."""
    if gauges is not None:
        return {gauge.metric.code: gauge.cap_stop for gauge in gauges}
    return cap_stops_now(contracts, rights, found.totals, at, quote)


def _meters(
    rights: Entitlements, found: Counts, bill: Bill | None, stops: Mapping[str, int | None], at: datetime
) -> Iterator[Meter]:
    amounts = {line.metric: line.amount for line in bill.lines} if bill else {}
    for code, limit in rights.limits.items():
        yield Meter(
            metric=limit.metric,
            limit=limit,
            price=price_of(limit.allowance, limit.included),
            used=found.totals.get(limit.metric.pk, 0),
            period=rights.period,
            at=at,
            trend=tuple(_trend(limit.metric, found, rights, at)),
            refused=sum(found.refused.get(limit.metric.pk, {}).values()),
            amount=amounts.get(code),
            forecast=_forecast(limit.metric, found, rights, at),
            cap_stop=stops.get(code),
        )


def _forecast(metric: Metric, found: Counts, rights: Entitlements, at: datetime) -> Forecast | None:
    """Where the metric will stand when the period ends."""
    today = at.astimezone(UTC).date()
    if metric.kind == Metric.Kind.LEVEL:
        window = level_window(today)
        days = dict(zip(window, found.levels(metric.pk, window, today), strict=True))
    else:
        days = {day: found.on(metric.pk, day) for day in found.days.get(metric.pk, {})}
    return forecast(
        metric.kind,
        days,
        found.totals.get(metric.pk, 0),
        period=rights.period,
        before=period_before(rights.tenant, rights.period),
        at=settled(rights.period, at),
    )


def _trend(metric: Metric, found: Counts, rights: Entitlements, at: datetime) -> list[int]:
    """Use on each of the last days; of a level its amount then, of members how many there were by then."""
    today = at.astimezone(UTC).date()
    window = [today - timedelta(days=back) for back in range(LOOKED_BACK - 1, -1, -1)]
    if metric.kind == Metric.Kind.LEVEL:
        return found.levels(metric.pk, window, today)
    values = [found.on(metric.pk, day) for day in window]
    return (
        values
        if metric.kind == Metric.Kind.SUM
        else _running(values, window, rights, found.totals.get(metric.pk, 0))
    )


def _running(values: list[int], window: list[date], rights: Entitlements, now: int) -> list[int]:
    """Sums that begin anew with each period; the last is what stands now."""
    firsts, period = set(), rights.period
    while period.first >= window[0]:
        firsts.add(period.first)
        period = period_before(rights.tenant, period)
    running, total = [], 0
    for day, value in zip(window, values, strict=True):
        total = value if day in firsts else total + value
        running.append(total)
    return [*running[:-1], now]
