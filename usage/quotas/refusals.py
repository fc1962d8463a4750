"""What a refusal means to the tenant: which limit, how much of it is used, when time heals it, and the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import ceil

from billing.models import Metric
from usage.metering import Cause, Decision, Gauge, Refusal


@dataclass(frozen=True)
class Explanation:
    """One refused decision in facts and words; quantities in base units."""

    decision: Decision
    refusal: Refusal
    cap: Decimal | None = None  # the amount of the spend cap that refused, where the reader may know it

    @property
    def gauge(self) -> Gauge:
        return self.refusal.gauge

    @property
    def metric(self) -> Metric:
        return self.refusal.gauge.metric

    @property
    def is_burst(self) -> bool:
        return self.refusal.cause == Cause.BURST

    @property
    def is_cap(self) -> bool:
        return self.refusal.cause == Cause.CAP

    @property
    def policy(self) -> str:
        """The name of what was violated, as in the quota headers."""
        return f"{self.metric.code}.burst" if self.is_burst else self.metric.code

    @property
    def limit(self) -> int:
        gauge = self.gauge
        at = {Cause.BURST: gauge.burst, Cause.CAP: gauge.cap_stop, Cause.LIMIT: gauge.stop}
        return at[self.refusal.cause] or 0

    @property
    def used(self) -> int:
        """Units used of `limit`; of a burst, those of the last minute that have not grown back."""
        return self.limit - (self.gauge.burst_left or 0) if self.is_burst else self.gauge.used

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def requested(self) -> int | None:
        """Units asked for; None for a gate, whose units are known only after the answer."""
        return self.refusal.charge.amount or None

    @cached_property
    def resets_at(self) -> datetime | None:
        """When the same request would fit if nothing else is used; None where waiting does not help."""
        if self.is_burst:
            return self.decision.at + timedelta(seconds=self.refusal.wait or 1)
        if self.metric.kind == Metric.Kind.LEVEL and not self.is_cap:  # money begins anew with each period
            return None
        never_fits = self.refusal.cause == Cause.LIMIT and (self.requested or 1) > self.limit
        return None if never_fits else self.decision.period.ends

    @property
    def wait(self) -> int | None:
        """Whole seconds until `resets_at`, never too few."""
        return None if self.resets_at is None else seconds_until(self.resets_at, self.decision.at)


def seconds_until(then: datetime, now: datetime) -> int:
    """Whole seconds, at least 1 and never too few."""
    return max(1, ceil((then - now).total_seconds()))
