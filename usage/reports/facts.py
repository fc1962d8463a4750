"""One metric of a tenant in numbers: used, limit, headroom, state, risk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from billing.entitlements import Limit
from billing.models import Metric
from billing.periods import Period
from billing.pricing import Price
from usage.forecasts.forecast import Forecast
from usage.models import Standing
from usage.states import is_capped, percent_of, risk_of, state_of

State = Standing.State


@dataclass(frozen=True, slots=True)
class Facts:
    """A metric in the current period; quantities in base units. `amount` is None for who sees no money."""

    metric: Metric
    limit: Limit
    price: Price
    used: int
    period: Period
    at: datetime
    trend: tuple[int, ...]  # use of each of the last days; of a level and of members the amount then
    refused: int  # in the last 24 h
    amount: Decimal | None  # estimated overage so far
    forecast: Forecast | None = None
    cap_stop: int | None = None  # where the money left under a spend cap ends; none = nowhere

    @property
    def size(self) -> int | None:
        """What headroom and percent are measured against; None = unlimited."""
        return self.limit.size

    @property
    def headroom(self) -> int | None:
        """Units left; None when nothing limits them."""
        return None if self.size is None else max(0, self.size - self.used)

    @property
    def excess(self) -> int:
        """Units beyond the included ones."""
        return self.price.beyond(self.used)

    @property
    def percent(self) -> int | None:
        return percent_of(self.used, self.limit)

    @property
    def expected(self) -> int:
        """Units at the end of the period, as far as that can be said; at least those of now."""
        return max(self.used, self.forecast.used) if self.forecast else self.used

    @property
    def expected_percent(self) -> int | None:
        """Whole percent of the limit at the end of the period; none without a forecast or a limit."""
        return percent_of(self.expected, self.limit) if self.forecast else None

    @property
    def runs_out(self) -> datetime | None:
        """When the limit will be reached, UTC; none where it lasts, is reached already, or nothing can be said."""
        moment = self.forecast.reached(self.size) if self.forecast and self.used < (self.size or 0) else None
        return max(moment, self.at).astimezone(UTC) if moment else None

    @property
    def capped_on(self) -> datetime | None:
        """When the spend cap will stop it at this pace, UTC; of a level nobody can tell: its room grows each hour."""
        if self.forecast is None or self.is_level or self.used >= (self.cap_stop or 0):
            return None
        moment = self.forecast.reached(self.cap_stop)
        return max(moment, self.at).astimezone(UTC) if moment else None

    @property
    def state(self) -> State:
        return state_of(self.used, self.limit, self.expected, cap_stop=self.cap_stop)

    @property
    def is_capped(self) -> bool:
        """Whether it is the spend cap that refuses the next unit."""
        is_at_limit = self.limit.stop is not None and self.used >= self.limit.stop
        return is_capped(self.used, self.cap_stop) and not is_at_limit

    @property
    def is_ok(self) -> bool:
        return self.state == State.OK

    @property
    def is_near(self) -> bool:
        return self.state == State.NEAR

    @property
    def is_full(self) -> bool:
        return self.state == State.FULL

    @property
    def is_over(self) -> bool:
        return self.state == State.OVER

    @property
    def is_level(self) -> bool:
        return self.metric.kind == Metric.Kind.LEVEL

    @property
    def is_bytes(self) -> bool:
        return self.metric.unit == Metric.Unit.BYTES

    @property
    def is_priced(self) -> bool:
        """Whether use beyond the included amount costs something."""
        return bool(self.price.tiers)

    @property
    def shows_amount(self) -> bool:
        return self.is_priced and self.amount is not None

    @property
    def risk(self) -> tuple[int, int, int]:
        """Sorts the riskiest first."""
        return risk_of(self.used, self.limit, self.expected, cap_stop=self.cap_stop)
