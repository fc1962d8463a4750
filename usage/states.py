"""The one rule that says how a metric stands: OK, approaching, at the limit, or over and billed."""

from __future__ import annotations

from billing.entitlements import Limit
from usage.models import Standing

NEAR = 80  # percent
SEVERITY = [Standing.State.OK, Standing.State.NEAR, Standing.State.OVER, Standing.State.FULL]


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
