"""How far the money left under spend caps reaches, by what PostgreSQL knows; each computation has a stamp."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing.capstops import Rest, cap_stops
from billing.entitlements import Entitlements
from tenants.models import Tenant
from usage.metering import ledger
from usage.metering.positions import Position, locked, positions
from usage.money import accruals
from usage.money.levels import HOUR, hour_of


@dataclass(frozen=True, slots=True)
class Reach:
    """A tenant's cap stops in its period, by metric code; metrics without one are not there.

    `stamp` was drawn while the tenant's row was locked: of two computations the later one has the higher.
    """

    rights: Entitlements
    stamp: int
    stops: Mapping[str, int]


@transaction.atomic
def reaches_of(tenants: Sequence[Tenant], at: datetime) -> dict[int, Reach]:
    """Reaches at `at` by tenant id; who has no cap that stops is missing. No query where there are no tenants."""
    return reaches(positions(locked(tenant.pk for tenant in tenants), at), at) if tenants else {}


def reaches(found: Iterable[Position], at: datetime) -> dict[int, Reach]:
    """The same of tenants whose rows are locked; no query where no cap stops, else two."""
    capped = [one for one in found if one.rights.caps.stop is not None]
    if not capped:
        return {}
    over = accruals.of_hours_over([one.rates for one in capped], at)
    stamps = ledger.new_stamps(len(capped))
    return {
        one.tenant.pk: Reach(one.rights, stamp, _stops(one, over, at))
        for one, stamp in zip(capped, stamps, strict=True)
    }


def _stops(one: Position, over: Mapping[tuple[int, int], int], at: datetime) -> dict[str, int]:
    assert one.rights.caps.stop is not None  # asked only of those
    hours = (one.rates.period.ends - hour_of(at)) // HOUR
    rests = {
        line.metric: Rest(
            rate.steps[-1].included, hours, line.use.excess - over.get((one.tenant.pk, rate.metric.pk), 0)
        )
        for line in one.spent.lines
        if (rate := one.rates.rates[line.metric]).is_level
    }
    return cap_stops(one.spent, one.rights.caps.stop, rests)
