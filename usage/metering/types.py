"""What callers of metering give and get: charges, gauges, decisions, and the errors a wrong charge raises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from billing.models import MAX_QUANTITY, Metric, Plan
from billing.periods import Period
from tenants.models import Tenant

LABEL_BYTES = 48
MEMBER_BYTES = 200


class ChargeError(ValueError):
    """A charge that can't be counted; its message names the value and the remedy. Nothing was counted."""


class UnknownMetric(ChargeError):
    """No metric has this code."""


class InvalidAmount(ChargeError):
    """Zero, a float, negative for something that only adds, or beyond 2**53."""


class InvalidLabel(ChargeError):
    """A label over 48 bytes, or with control characters."""


class InvalidMember(ChargeError):
    """A distinct metric without a member, another with one, or a member over 200 bytes."""


class BurstTooSmall(ChargeError):
    """A charge larger than its metric's burst: waiting would never let it through."""


class TenantClosed(ChargeError):
    """A closed tenant uses nothing any more."""


class CountsUnavailable(RuntimeError):
    """Redis or, for a cold account, PostgreSQL did not answer in time, and the metric's policy is to refuse."""


# Each decision makes one of these three and more: a named tuple is made in a quarter of a frozen dataclass' time.


class Charge(NamedTuple):
    """One thing to count: `amount` base units of `metric` (code), under `label`, by `member` (distinct metrics).

    A negative amount gives back units of a level. A distinct metric counts its member once a period.
    """

    metric: str
    amount: int = 1
    label: str = ""
    member: str | None = None


class Gauge(NamedTuple):
    """How much of one metric a tenant has used in a period; quantities in base units.

    `limit` is what percent is measured against (none = unlimited), `stop` where requests are refused (none = never).
    """

    metric: Metric
    used: int
    limit: int | None
    stop: int | None
    cap_stop: int | None = None
    burst: int | None = None
    burst_left: int | None = None
    burst_seconds: int = 0  # until `burst_left` is whole again

    @property
    def headroom(self) -> int | None:
        """Units left; None when nothing limits them."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def percent(self) -> int | None:
        """Whole percent of the limit, rounded down; 100 for a limit of nothing; None without a limit."""
        if self.limit is None:
            return None
        return self.used * 100 // self.limit if self.limit else 100

    @property
    def is_stopped(self) -> bool:
        """Whether the next unit would be refused."""
        return any(stop is not None and self.used >= stop for stop in (self.stop, self.cap_stop))


class Cause(StrEnum):
    """Why a charge was refused."""

    LIMIT = "limit"
    CAP = "cap"
    BURST = "burst"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The charge that did not fit, why, and for a burst how many seconds until it does."""

    charge: Charge
    cause: Cause
    gauge: Gauge
    wait: int | None = None


class Decision(NamedTuple):
    """The answer to a `consume`: all charges were counted, or none.

    `gauges` stand after the call, one per charge in its order. `is_counted` is false while Redis is away and the
    metrics' policy lets requests pass.
    """

    tenant: Tenant
    plan: Plan | None
    period: Period
    at: datetime
    gauges: tuple[Gauge, ...]
    refused: Refusal | None = None
    is_counted: bool = True

    @property
    def allowed(self) -> bool:
        return self.refused is None

    @property
    def remaining(self) -> int | None:
        """The first charge's headroom; None when nothing limits it."""
        return self.gauges[0].headroom if self.gauges else None


__all__ = [
    "LABEL_BYTES",
    "MAX_QUANTITY",
    "MEMBER_BYTES",
    "BurstTooSmall",
    "Cause",
    "Charge",
    "ChargeError",
    "CountsUnavailable",
    "Decision",
    "Gauge",
    "InvalidAmount",
    "InvalidLabel",
    "InvalidMember",
    "Refusal",
    "TenantClosed",
    "UnknownMetric",
]
