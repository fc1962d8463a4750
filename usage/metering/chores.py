"""The chores of counting, each by its name, on this process' connection to Redis; tasks and commands call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from usage.heartbeats import beats
from usage.metering import history, reopening, upkeep
from usage.metering import reconcile as reconciling
from usage.metering.accounts import ensure_months
from usage.metering.flush import flush as flush_dirty
from usage.metering.links import bulk, links
from usage.money import closing


@beats
def flush(at: datetime) -> int:
    """Bring what Redis counted into PostgreSQL; returns how many tenants."""
    return flush_dirty(bulk(), at)


@beats
def take_over_changes(at: datetime) -> int:
    """Bring changed limits into Redis; returns how many changes."""
    return upkeep.take_over_changes(bulk(), at)


@beats
def begin_periods(at: datetime) -> int:
    """Judge tenants whose period has begun; returns how many."""
    return upkeep.begin_periods(at)


@beats
def expect_use(at: datetime) -> int:
    """Learn what the periods of tenants still bring; returns how many tenants."""
    return upkeep.expect_use(at)


@beats
def hold_caps(at: datetime) -> int:
    """Judge tenants whose levels cost more with each hour against their spend caps; returns how many."""
    return upkeep.hold_caps(at)


@beats
def open_ahead(at: datetime) -> int:
    """Open accounts of the next period ahead of midnight; returns how many."""
    with links().one() as link:
        life = link.life()
    return upkeep.open_ahead(bulk(), life, at)


@beats
def reopen(at: datetime) -> int:
    """Open the accounts of active tenants where Redis was emptied or is another; returns how many."""
    with links().one() as link:
        life = link.life()
    return reopening.reopen(bulk(), life, at)


@beats
def sweep_limits(at: datetime) -> int:
    """Write the limits of tenants used lately again; returns how many tenants."""
    return upkeep.sweep_limits(bulk(), at)


@beats
def make_partitions(at: datetime) -> int:
    """Make the hourly tables' partitions for this month and the next two; returns how many months."""
    return ensure_months(at)


@beats
def roll_up_days(at: datetime) -> int:
    """Add up closed days, and let hours go whose time is over; returns how many days of a tenant were added up."""
    return history.roll_up_days(at)


@beats
def close_periods(at: datetime) -> int:
    """Issue the statements of periods that are over, and adjustments of what came too late; returns how many."""
    return closing.close_periods(at)


def reconcile(at: datetime) -> int:
    """Make Redis, totals and hours agree again; returns how many differences were found. Says itself that it ran."""
    return reconciling.reconcile(bulk(), at)


CHORES: Mapping[str, Callable[[datetime], int]] = {
    chore.__name__: chore
    for chore in (
        flush,
        take_over_changes,
        begin_periods,
        expect_use,
        hold_caps,
        open_ahead,
        reopen,
        sweep_limits,
        make_partitions,
        roll_up_days,
        close_periods,
        reconcile,
    )
}
