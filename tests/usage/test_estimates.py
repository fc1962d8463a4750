"""What pages estimate in a period's last second is what the statement says, whatever happened in the period."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.closings import closing
from billing.models import Metric, Override, Plan, Subscription
from billing.periods import period_at
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.conftest import LONG_AGO, MakeTenant
from tests.usage.billed import CLOSES, ENDS, FIRST, HOUR, MB
from usage.metering.ledger import Counts, keep, make_partitions
from usage.models import LevelAccrual, LevelHour, UsageLevel, UsageMember, UsagePeriod
from usage.money.bills import bill_so_far, bills
from usage.money.closing import issue_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

SECOND = timedelta(seconds=1)
MOMENTS = st.integers(-5 * 24 * 60, 31 * 24 * 60).map(lambda minutes: FIRST + timedelta(minutes=minutes))
SLUGS = st.sampled_from(["free", "starter", "pro", "enterprise"])
CODES = st.sampled_from(["api_calls", "storage", "users", "bandwidth"])
# Of grants: metric, units (none = unlimited, which sets), when it begins and ends.
GRANTS = st.lists(
    st.tuples(CODES, st.one_of(st.none(), st.integers(0, 10**11)), MOMENTS, st.one_of(st.none(), MOMENTS)),
    max_size=3,
)
# Of storage: the hour, from before the period to after it, and how many MB it then is.
MOVES = st.lists(
    st.tuples(st.integers(-40, 760), st.integers(0, 900_000)), max_size=6, unique_by=lambda one: one[0]
)


def subscribed(tenant: Tenant, changes: list[tuple[datetime, str]]) -> None:
    """On these plans from these times on, also before and after the period."""
    Subscription.objects.filter(tenant=tenant).delete()
    for at, slug in sorted(changes):
        subscribe(tenant, Plan.objects.get(slug=slug), at=at, actor=None, reason="test")


def granted(tenant: Tenant, grants: list[tuple[str, int | None, datetime, datetime | None]]) -> None:
    Override.objects.filter(tenant=tenant).delete()
    for code, units, starts, ends in grants:
        if ends is None or starts < ends:
            Override.objects.create(
                tenant=tenant,
                metric=Metric.objects.get(code=code),
                mode=Override.Mode.SET if units is None else Override.Mode.ADD,
                units=units,
                reason="test",
                starts=starts,
                ends=ends,
            )


def used(tenant: Tenant, calls: int, megabytes: int, people: int, moves: list[tuple[int, int]]) -> None:
    """The ledger's rows of a month."""
    for table in (UsagePeriod, UsageMember, UsageLevel, LevelHour, LevelAccrual):
        table.objects.filter(tenant=tenant).delete()
    metrics = dict(Metric.objects.values_list("code", "pk"))
    counts, level, added, removed = Counts(), 0, 0, 0
    for number, amount in sorted(moves):
        step = amount * MB - level
        up, down, level = max(0, step), max(0, -step), amount * MB
        added, removed = added + up, removed + down
        row = (tenant.pk, metrics["storage"], FIRST + number * HOUR, 1, up, down, level + down, level)
        counts.level_hours.append(row)
    counts.levels.append((tenant.pk, metrics["storage"], 1, added, removed))
    for code, units in (("api_calls", calls), ("bandwidth", megabytes * MB + 1)):
        counts.periods.append((tenant.pk, metrics[code], FIRST.date(), 1, units, 0))
    members = (f"user-{number}" for number in range(people))
    counts.members = [(tenant.pk, metrics["users"], FIRST.date(), member) for member in members]
    make_partitions({FIRST.date().replace(month=month) for month in (10, 11, 12)})
    keep(counts)


@given(
    st.lists(st.tuples(MOMENTS, SLUGS), max_size=4),
    SLUGS,
    GRANTS,
    st.tuples(st.integers(0, 9_000_000), st.integers(0, 1_500_000), st.integers(0, 60), MOVES),
)
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_of_the_last_second_are_the_statement(
    make_tenant: MakeTenant, changes: Any, plan: str, grants: Any, month: Any
) -> None:
    tenant = make_tenant(f"tenant-{Tenant.objects.count()}", created_at=FIRST)
    subscribed(tenant, [(LONG_AGO, plan), *changes])
    granted(tenant, grants)
    used(tenant, *month)
    period = period_at(tenant, FIRST)
    estimate = bill_so_far(tenant, ENDS - SECOND)
    assert estimate == bills([(tenant, period)], ENDS - SECOND)[tenant.pk, period]

    closing(tenant, period).save()
    assert issue_due(CLOSES, only=[tenant.pk]) == 1
    statement = tenant.statements.get()
    document = statement.document
    assert [fee["amount"] for fee in document["fees"]] == [str(fee.amount) for fee in estimate.fees]
    assert [(line["metric"], line["billable"], line["amount"]) for line in document["lines"]] == [
        (line.metric, str(line.billable), f"{line.amount:.2f}") for line in estimate.lines
    ]
    assert [[tier["amount"] for tier in line["tiers"]] for line in document["lines"]] == [
        [f"{part.amount:.2f}" for part in line.parts] or ["0.00"] * len(line.price.tiers)
        for line in estimate.lines
    ]
    assert (statement.base_fee, statement.overage, statement.total) == (
        estimate.base_fee,
        estimate.overage,
        estimate.total,
    )
