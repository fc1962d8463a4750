"""The rules that say how a metric stands (OK, approaching, at the limit, over and billed), and which stands worst.

`expected`: what a forecast says will be used by the end of the period; 0 where there is none.
"""

from __future__ import annotations

from billing.entitlements import Limit
from usage.models import Standing

NEAR, FULL = 80, 100  # percent
ORDER = {Standing.State.FULL: 0, Standing.State.NEAR: 1, Standing.State.OVER: 2, Standing.State.OK: 4}
NEAR_A_PRICE = 3  # where use goes on beyond the limit


def percent_of(used: int, limit: Limit) -> int | None:
    """Whole percent of the limit, rounded down; none where there is no limit, or a limit of nothing."""
    return used * 100 // limit.size if limit.size else None


def is_capped(used: int, cap_stop: int | None) -> bool:
    """Whether a spend cap refuses the next unit; what was never used is not stopped."""
    return cap_stop is not None and used >= cap_stop and used > 0


def state_of(used: int, limit: Limit, expected: int = 0, *, cap_stop: int | None = None) -> Standing.State:
    """How `used` units stand to `limit`; a metric the plan has nothing of is OK until it is asked for."""
    percent = percent_of(used, limit)
    if is_capped(used, cap_stop):
        return Standing.State.FULL
    if percent is None:
        return Standing.State.OK
    if limit.stop is not None and used >= limit.stop:
        return Standing.State.FULL
    if limit.included is not None and used > limit.included:
        return Standing.State.OVER
    is_near = percent >= NEAR or (percent_of(expected, limit) or 0) >= FULL
    return Standing.State.NEAR if is_near else Standing.State.OK


def risk_of(
    used: int, limit: Limit, expected: int = 0, *, cap_stop: int | None = None
) -> tuple[int, int, int]:
    """Sorts metrics, riskiest first: what stops before what costs, that before what fits; the fullest first."""
    state = state_of(used, limit, expected, cap_stop=cap_stop)
    percent = percent_of(max(used, expected), limit)
    order = ORDER[state] if state != Standing.State.NEAR or limit.stop is not None else NEAR_A_PRICE
    return order, 1 if percent is None else -percent, limit.metric.position
