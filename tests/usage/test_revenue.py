"""What tenants bring in during a month: issued or estimated, by the days of their periods that lie in it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.models import Plan, Statement
from billing.periods import Period, period_at
from billing.subscriptions import subscribe
from tenants.models import Tenant
from tests.conftest import LONG_AGO, MakeTenant
from usage.costs.months import Month
from usage.costs.revenue import revenue
from usage.metering import ledger
from usage.metering.ledger import Counts
from usage.money.bills import bills

pytestmark = pytest.mark.django_db

NOVEMBER = Month(date(2026, 11, 1))
AT = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
LATER = datetime(2026, 12, 24, tzinfo=UTC)


def issue(tenant: Tenant, period: Period, total: str, *, of: Statement | None = None) -> Statement:
    return Statement.objects.create(
        number=f"{tenant.pk}-{period}-{total}",
        kind=Statement.Kind.ADJUSTMENT if of else Statement.Kind.STATEMENT,
        tenant=tenant,
        of=of,
        period=period.first,
        until=period.until,
        issued_at=LATER,
        currency="USD",
        base_fee=Decimal(0),
        overage=Decimal(total),
        total=Decimal(total),
        document={},
    )


def use(tenant: Tenant, period: Period, calls: int) -> None:
    ledger.keep(Counts(periods=[(tenant.pk, calls_id(), period.first, 1, calls, 0)]))


def calls_id() -> int:
    return Plan.objects.get(slug="pro").allowances.get(metric__code="api_calls").metric_id


class TestAPeriodThatIsTheMonth:
    def test_brings_in_its_bill_so_far(self, make_tenant: MakeTenant) -> None:
        """Pro is 199 and 0.001 for each call beyond 500,000."""
        tenant = make_tenant(plan="pro", created_at=LONG_AGO)
        use(tenant, period_at(tenant, AT), 512_345)
        assert revenue(NOVEMBER, AT) == {tenant.pk: 199_00 + 12_34}

    def test_brings_in_what_was_issued_and_adjusted(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro", created_at=LONG_AGO)
        period = period_at(tenant, AT)
        use(tenant, period, 600_000)
        statement = issue(tenant, period, "210.05")
        issue(tenant, period, "-0.10", of=statement)
        assert revenue(NOVEMBER, LATER) == {tenant.pk: 209_95}

    def test_brings_in_nothing_on_a_plan_that_is_free(self, make_tenant: MakeTenant) -> None:
        make_tenant(created_at=LONG_AGO)
        assert revenue(NOVEMBER, AT) == {}


class TestPeriodsAcrossMonths:
    def test_share_by_their_days(self, make_tenant: MakeTenant) -> None:
        """10 of 31 days of 310.00 lie in November, and 20 of 30 days of 90.01: 100.00 and 60.00666."""
        tenant = make_tenant(plan="pro", anchor_day=11, created_at=LONG_AGO)
        first, second = (
            Period(date(2026, 10, 11), date(2026, 11, 11)),
            Period(date(2026, 11, 11), date(2026, 12, 11)),
        )
        issue(tenant, first, "310.00")
        issue(tenant, second, "90.01")
        assert revenue(NOVEMBER, LATER) == {tenant.pk: 160_01}

    def test_mix_what_was_issued_with_what_is_estimated(self, make_tenant: MakeTenant) -> None:
        """10 of 31 days of 310.00, and 20 of 30 days of Pro's 199.00."""
        tenant = make_tenant(plan="pro", anchor_day=11, created_at=LONG_AGO)
        issue(tenant, Period(date(2026, 10, 11), date(2026, 11, 11)), "310.00")
        assert revenue(NOVEMBER, AT) == {tenant.pk: 232_67}

    def test_one_that_has_not_begun_brings_in_nothing_yet(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro", anchor_day=25, created_at=LONG_AGO)
        issue(tenant, Period(date(2026, 10, 25), date(2026, 11, 25)), "310.00")
        assert revenue(NOVEMBER, AT) == {tenant.pk: 240_00}

    def test_the_months_of_a_period_sum_to_it(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(plan="pro", anchor_day=11, created_at=LONG_AGO)
        period = Period(date(2026, 11, 11), date(2026, 12, 11))
        issue(tenant, Period(date(2026, 10, 11), date(2026, 11, 11)), "0.00")
        issue(tenant, period, "90.01")
        issue(tenant, Period(date(2026, 12, 11), date(2027, 1, 11)), "0.00")
        months = [revenue(Month(date(2026, number, 1)), LATER)[tenant.pk] for number in (11, 12)]
        assert sum(months) == 90_01


class TestTenants:
    def test_that_come_later_bring_in_nothing(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=datetime(2026, 12, 1, tzinfo=UTC))
        subscribe(tenant, Plan.objects.get(slug="pro"), at=tenant.created_at, actor=None, reason="test")
        assert revenue(NOVEMBER, LATER) == {}

    def test_pay_for_the_days_since_they_came(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant(created_at=datetime(2026, 11, 16, tzinfo=UTC))
        subscribe(tenant, Plan.objects.get(slug="pro"), at=tenant.created_at, actor=None, reason="test")
        period = period_at(tenant, AT)
        assert revenue(NOVEMBER, AT) == {
            tenant.pk: round(bills([(tenant, period)], AT)[tenant.pk, period].total * 100)
        }
        assert revenue(NOVEMBER, AT) == {tenant.pk: 99_50}

    def test_are_read_together(
        self, make_tenant: MakeTenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(6):
            make_tenant(f"t{number}", plan="pro", created_at=LONG_AGO)
        with django_assert_max_num_queries(13):
            assert len(revenue(NOVEMBER, AT)) == 6
