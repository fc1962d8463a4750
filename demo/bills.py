"""The bills of the demo's providers: written as FOCUS files that fit what tenants bring in, imported, and divided."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from billing.costs.bills import import_bill
from billing.focus import Reading
from billing.focus_lines import unpacked
from billing.models import CostBill
from demo.providers import PROVIDERS, SERVICES, Service, seed_rules
from demo.rhythm import dice, spread
from usage.costs.due import allocate_costs
from usage.costs.months import Month, month_at
from usage.costs.revenue import revenue

DAY = timedelta(days=1)
MILLE = 1000
SHARE = 600  # of the revenue, in thousandths, that all bills of a month come to
LEAST = 100_00  # cents, where nobody has brought in anything yet
FINE = 10**8  # parts of a cent that amounts are written in
STALE_AFTER = timedelta(hours=12)  # a bill of the present month is fetched again
COLUMNS = (
    *("ProviderName", "BillingCurrency", "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd"),
    *("ChargeCategory", "ServiceName", "BilledCost", "EffectiveCost", "Tags"),
)


def bring_bills(folder: Path, at: datetime) -> None:
    """Import what the providers bill for this month so far and the one before, where it is not there, and divide it.

    The files stay in `folder`, to look at and to import again.
    """
    seed_rules()
    folder.mkdir(parents=True, exist_ok=True)
    this = month_at(at)
    for month in (month_at(this.starts - DAY), this):
        missing = [name for name in PROVIDERS if not _is_known(name, month, at)]
        cents = max(LEAST, sum(revenue(month, at).values()) * SHARE // MILLE) if missing else 0
        for provider in missing:
            path = folder / f"{provider.lower()}-{month.first:%Y-%m}.csv"
            _write(path, provider, month, cents, at)
            with path.open("rb") as file:
                import_bill(Reading(unpacked(file)), source=path.name, author=None, at=at)
    allocate_costs(at)


def _is_known(provider: str, month: Month, at: datetime) -> bool:
    """Whether the bill is there; of a month that goes on, a fresh one."""
    bills = CostBill.objects.current().of(provider, month.first)
    return bills.exists() if month.is_over(at) else bills.filter(imported_at__gt=at - STALE_AFTER).exists()


def _write(path: Path, provider: str, month: Month, cents: int, at: datetime) -> None:
    """A FOCUS file with a row a day for each service of the provider."""
    days = (min(month.until, at.date() + DAY) - month.first).days
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for service in SERVICES:
            if service.provider == provider:
                writer.writerows(_rows(service, month, days, cents * FINE * service.mille // MILLE))


def _rows(service: Service, month: Month, days: int, parts: int) -> Iterator[tuple[str, ...]]:
    """The charges of a service; `parts` of a cent are spread over its days."""
    chance = dice(service.provider, service.name, month.first)
    weights = [chance.randint(90, 110) for _ in range(days)] if service.is_daily else [1]
    for number, part in enumerate(spread(abs(parts), weights)):
        first = month.first + number * DAY
        until = first + DAY if service.is_daily else month.until
        amount = Decimal(part if parts > 0 else -part).scaleb(-10)
        yield (
            *(service.provider, settings.HEADROOM_CURRENCY, _moment(month.first)),
            *(_moment(first), _moment(until), service.category, service.name),
            *(f"{amount:f}", f"{amount:E}", json.dumps(dict(service.tags))),
        )


def _moment(day: date) -> str:
    return f"{day}T00:00:00Z"
