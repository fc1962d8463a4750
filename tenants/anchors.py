"""Which billing period a moment lies in, and how the day it begins on changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache

from tenants.models import Tenant


def period_of(tenant: Tenant, at: datetime) -> tuple[date, date]:
    """First day and end (exclusive) of the period that holds `at`; both begin at 00:00 UTC.

    A new anchor day acts from the end of the period it was set in: one short period leads to the first new
    anchor, then periods are months again. They tile time without gap or overlap, over any number of changes.
    """
    today = at.astimezone(UTC).date()
    begins, anchor = date.min, tenant.anchor_day
    for until, day in _former_anchors(tenant):
        if today < until:
            anchor = day
            break
        begins = until
    start, end = _month(anchor, today)
    return max(start, begins), end


def change_anchor(tenant: Tenant, day: int, at: datetime) -> None:
    """Let periods begin on `day` from the end of the current one; sets the fields, saving is the caller's.

    A change that has not begun to act is replaced.
    """
    if day == tenant.anchor_day:
        return
    if tenant.anchor_since is None or tenant.anchor_since <= at.astimezone(UTC).date():
        _, end = period_of(tenant, at)
        tenant.anchor_past = [[until.isoformat(), before] for until, before in _former_anchors(tenant)]
        tenant.anchor_before, tenant.anchor_since = tenant.anchor_day, end
    tenant.anchor_day = day


def _former_anchors(tenant: Tenant) -> Iterator[tuple[date, int]]:
    """Anchor days that were replaced, each with the date until which it counts, oldest first."""
    for until, day in tenant.anchor_past:
        yield date.fromisoformat(until), day
    if tenant.anchor_since is not None and tenant.anchor_before is not None:
        yield tenant.anchor_since, tenant.anchor_before


@lru_cache(maxsize=1_000)
def _month(day: int, today: date) -> tuple[date, date]:
    """The month from one `day` to the next that holds `today`."""
    this = today.replace(day=day)
    if today >= this:
        return this, _shift(this, 1)
    return _shift(this, -1), this


def _shift(first: date, months: int) -> date:
    """The same day some months later or earlier; anchors end at the 28th, so it always exists."""
    months += first.year * 12 + first.month - 1
    return first.replace(year=months // 12, month=months % 12 + 1)
