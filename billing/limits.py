"""One limit per metric: a plan's allowance after a tenant's overrides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from billing.caps import NO_CAPS, Caps
from billing.models import Allowance, Metric, Override, Plan
from billing.periods import Period
from tenants.models import Tenant


@dataclass(frozen=True)
class Limit:
    """What a tenant may use of one metric in one period, in base units.

    `stop`: requests are refused from there on, none = never. `size`: what headroom and percent are measured
    against, none = unlimited. `burst`: most units a minute.
    """

    metric: Metric
    allowance: Allowance
    included: int | None
    hard_limit: int | None

    @cached_property
    def metric_id(self) -> int:
        return self.metric.pk

    @cached_property
    def stop(self) -> int | None:
        return self.included if self.allowance.beyond == Allowance.Beyond.STOP else self.hard_limit

    @cached_property
    def size(self) -> int | None:
        return self.included if self.stop is None else self.stop

    @property
    def burst(self) -> int | None:
        return self.allowance.burst


@dataclass(frozen=True, slots=True)
class Entitlements:
    """All limits of a tenant in one period; they change by themselves at `until` at the latest."""

    tenant: Tenant
    version: int
    plan: Plan
    period: Period
    until: datetime
    limits: Mapping[str, Limit]  # by metric code; a metric the plan lacks is not there
    caps: Caps = NO_CAPS  # of what goes beyond them


def limit_of(allowance: Allowance, overrides: Iterable[Override]) -> Limit:
    """The allowance after its overrides, oldest first; the hard limit moves by the same units as the included."""
    included, hard = allowance.included, allowance.hard_limit
    for override in overrides:
        if override.metric_id != allowance.metric_id:
            continue
        if override.mode == Override.Mode.SET:
            if override.units is None:
                hard = None
            elif hard is not None and included is not None:
                hard = max(0, hard + override.units - included)
            included = override.units
        elif included is not None:
            assert override.units is not None  # the database checks it
            included += override.units
            hard = None if hard is None else hard + override.units
    return Limit(allowance.metric, allowance, included, hard)
