"""The rules that say how a metric stands (OK, approaching, at the limit, over and billed), and which stands worst."""

from __future__ import annotations

from billing.entitlements import Limit
from usage.models import Standing

NEAR = 80  # percent


def percent_of(used: int, limit: Limit) -> int | None:
    """Whole percent of the limit, rounded down; none where there is no limit, or a limit of nothing."""
    return used * 100 // limit.size if limit.size else None


def state_of(used: int, limit: Limit) -> Standing.State:
    """How `used` units stand to `limit`; a metric the plan has nothing of is OK until it is asked for."""
    percent = percent_of(used, limit)
    if percent is None:
        return Standing.State.OK
    if limit.stop is not None and used >= limit.stop:
        return Standing.State.FULL
    if limit.included is not None and used > limit.included:
        return Standing.State.OVER
    return Standing.State.NEAR if percent >= NEAR else Standing.State.OK


def risk_of(used: int, limit: Limit) -> tuple[int, int, int]:
    """Sorts metrics, riskiest first: what stops before what costs, that before what fits; the fullest first."""
    state, percent = state_of(used, limit), percent_of(used, limit)
    near = 1 if limit.stop is not None else 3
    order = {Standing.State.FULL: 0, Standing.State.NEAR: near, Standing.State.OVER: 2, Standing.State.OK: 4}
    return order[state], 1 if percent is None else -percent, limit.metric.position
