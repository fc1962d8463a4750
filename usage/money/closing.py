"""Issues a statement for each tenant's period once it is over, the grace has passed and all is written down."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction

from billing.closings import move_on, period_of, plan_closings
from billing.contracts import Contracts
from billing.models import Closing, Statement
from billing.periods import Period
from billing.statements import draft, issue
from tenants.models import Tenant
from usage.alerts.issued import announce
from usage.metering.dirt import unflushed
from usage.money.bills import priced
from usage.money.late import adjust

logger = logging.getLogger(__name__)

BATCH = 500  # tenants in one transaction
MOMENT = timedelta(microseconds=1)


def close_periods(at: datetime) -> int:
    """Issue what is due, then what came too late for what was issued; returns how many documents."""
    plan_closings(at)
    return issue_due(at) + adjust(at)


def issue_due(at: datetime, *, only: Collection[int] | None = None) -> int:
    """Issue the statements that are due, of all tenants or of those with the ids `only`; returns how many.

    Any number of these may run at once, and die anywhere: a batch is one transaction. A tenant that was missed for
    several periods gets them one after the other.
    """
    count, left = 0, set[int]()
    while (issued := _close_some(at, left, only)) is not None:
        count += issued
    if left:
        logger.warning("%d tenants have periods that wait: not all of their hours are flushed.", len(left))
    return count


def _close_some(at: datetime, left: set[int], only: Collection[int] | None) -> int | None:
    """Issue a batch but for who is in `left`, and add to that who has to wait; None where nothing is due any more."""
    # Asked before the counts are read: what is not dirty now was written down before.
    waiting = unflushed()
    if waiting is None:
        logger.warning("Redis does not answer: no period is closed until it does.")
        return None
    with transaction.atomic():
        closings = _taken(at, left, only)
        ready = [one for one in closings if not _waits(one, waiting)]
        left |= {one.tenant_id for one in closings if _waits(one, waiting)}
        issued = _issue([(one.tenant, period_of(one)) for one in ready], at)
        move_on(ready)
    return issued if closings else None


def _taken(at: datetime, left: Collection[int], only: Collection[int] | None) -> list[Closing]:
    """What is due, locked; what another worker is at is passed over."""
    rows = Closing.objects.due(at).exclude(pk__in=left)
    if only is not None:
        rows = rows.filter(pk__in=only)
    return list(rows.select_related("tenant").select_for_update(of=("self",), skip_locked=True)[:BATCH])


def _waits(one: Closing, waiting: Mapping[int, date]) -> bool:
    """Whether hours of the period, or of one before, are not in PostgreSQL yet."""
    oldest = waiting.get(one.tenant_id)
    return oldest is not None and oldest <= one.period


def _issue(wanted: Sequence[tuple[Tenant, Period]], at: datetime) -> int:
    """Write the statements of these tenants' periods; returns how many. What was issued before stays."""
    known = Statement.objects.originals().filter(tenant__in=[tenant.pk for tenant, _ in wanted])
    issued = set(known.values_list("tenant_id", "period"))
    pairs = [(tenant, period) for tenant, period in wanted if (tenant.pk, period.first) not in issued]
    if not pairs:
        return 0
    statements = issue(drafts(pairs, at))
    announce(statements, at)
    return len(statements)


def drafts(pairs: Sequence[tuple[Tenant, Period]], at: datetime) -> list[Statement]:
    """Statements of periods that are over, each priced, with what was in force at its last moment; not saved."""
    contracts = Contracts(
        [tenant for tenant, _ in pairs], min(period.starts for _, period in pairs), is_read_only=True
    )
    rates = [contracts.rates(tenant, period, at) for tenant, period in pairs]
    costs = priced(rates, at)
    return [
        draft(one, costs[one.key], contracts.entitlements(one.tenant, one.period.ends - MOMENT), at)
        for one in rates
    ]
