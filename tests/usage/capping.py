"""What tests of spend caps share: what Pro includes, a cap that counting has taken over, and what stops where."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from billing.caps import lift_cap, set_cap
from billing.models import SpendCap
from tenants.models import Tenant
from tests.usage.counted import NOW
from tests.usage.counting import Clock
from usage.metering import Cause, Charge, Decision, chores, consume, peek

OWNER, OPERATIONS = SpendCap.Side.OWNER, SpendCap.Side.OPERATIONS
STOP, NOTIFY = SpendCap.Mode.STOP, SpendCap.Mode.NOTIFY
CALLS, MB = 500_000, 10**6  # Pro: 0.001 a call beyond, 0.05 per MB stored, 0.02 per MB transferred
BANDWIDTH, STORAGE = 100_000 * MB, 50_000 * MB
Cap = Callable[..., None]


def capper(clock: Clock) -> Cap:
    """Sets or lifts a cap, and lets counting take it over."""

    def set_(tenant: Tenant, amount: str | None, mode: str = STOP, side: str = OWNER) -> None:
        if amount is None:
            lift_cap(tenant, side=side, at=clock.now, actor=None)
        else:
            set_cap(tenant, side=side, mode=mode, amount=Decimal(amount), at=clock.now, actor=None)
        chores.take_over_changes(clock.now)

    return set_


def use(tenant: Tenant, clock: Clock, amount: int = 1, metric: str = "api_calls") -> Decision:
    return consume(tenant, Charge(metric, amount), at=clock.now)


def is_capped(decision: Decision) -> bool:
    """Refused by the spend cap, and by nothing else."""
    assert decision.is_counted
    return decision.refused is not None and decision.refused.cause == Cause.CAP


def stops(tenant: Tenant, clock: Clock) -> dict[str, int | None]:
    """The cap stops that the open account holds."""
    gauges = peek(tenant, clock.now)
    assert gauges is not None
    return {gauge.metric.code: gauge.cap_stop for gauge in gauges}


def set_(tenant: Tenant, amount: str, mode: str = STOP, side: str = OWNER, **more: Any) -> None:
    """A cap in the database, for what reads it there."""
    given = {"at": NOW, "actor": None, **more}
    set_cap(tenant, side=side, mode=mode, amount=Decimal(amount), **given)
