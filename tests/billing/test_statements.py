"""Statements stay as they were issued; their numbers have no gap; their documents give the prices back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from billing.contracts import Contracts
from billing.corrections import difference, rates_in
from billing.documents import document_of
from billing.models import Metric, Override, PriceTier, Statement
from billing.numbering import numbers
from billing.periods import period_at
from billing.pricing import Use, bill
from billing.rates import Rates
from billing.statements import adjustment, draft, issue
from tenants.models import Tenant
from tests.billing.test_pricing import prices
from tests.conftest import MakeTenant

pytestmark = pytest.mark.django_db

AT = datetime(2026, 12, 1, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 15, tzinfo=UTC)
MB = 10**6


def rates(tenant: Tenant) -> Rates:
    period = period_at(tenant, NOVEMBER)
    return Contracts([tenant], period.starts).rates(tenant, period, AT)


def drafted(tenant: Tenant, uses: dict[str, Use]) -> Statement:
    """A statement over these uses."""
    one = rates(tenant)
    rights = Contracts([tenant], NOVEMBER).entitlements(tenant, NOVEMBER)
    return draft(one, bill(one.fees, one.prices, uses), rights, AT)


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    return make_tenant(plan="pro")


@pytest.fixture
def statement(pro: Tenant) -> Statement:
    with transaction.atomic():
        return issue([drafted(pro, {"api_calls": Use(501_500)})])[0]


class TestStatement:
    def test_is_refused_to_be_changed(self, statement: Statement) -> None:
        statement.total = Decimal(1)
        with (
            pytest.raises(IntegrityError, match="HR-2026-11-0001 was issued: it is never changed"),
            transaction.atomic(),
        ):
            statement.save()
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            Statement.objects.update(document={})

    def test_is_refused_to_be_deleted(self, statement: Statement, pro: Tenant) -> None:
        for what in (statement.delete, Statement.objects.all().delete, pro.delete):
            with pytest.raises(IntegrityError), transaction.atomic():
                what()
        assert Statement.objects.get().total == Decimal("200.50")

    def test_goes_with_all_others_when_a_database_is_emptied(self, statement: Statement) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE billing_statement CASCADE")
        assert not Statement.objects.exists()

    def test_is_one_for_a_tenant_and_period(self, statement: Statement, pro: Tenant) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            issue([drafted(pro, {})])

    def test_is_adjusted_by_documents_that_name_it(self, statement: Statement) -> None:
        made = adjustment(statement, [], AT)
        made.of = None
        with pytest.raises(IntegrityError), transaction.atomic():
            issue([made])


class TestNumbers:
    def test_follow_each_other_in_each_month(self) -> None:
        first, later = date(2026, 10, 1), date(2026, 11, 15)
        assert numbers([later, first, later]) == ["HR-2026-11-0001", "HR-2026-10-0001", "HR-2026-11-0002"]
        assert numbers([first, date(2026, 11, 1)]) == ["HR-2026-10-0002", "HR-2026-11-0003"]

    def test_of_what_was_undone_are_given_again(self) -> None:
        with transaction.atomic():
            assert numbers([NOVEMBER.date()]) == ["HR-2026-11-0001"]
            transaction.set_rollback(True)
        assert numbers([NOVEMBER.date()]) == ["HR-2026-11-0001"]

    def test_grow_beyond_four_digits(self) -> None:
        found = numbers([NOVEMBER.date()] * 10_001)
        assert (found[0], found[-1]) == ("HR-2026-11-0001", "HR-2026-11-10001")
        assert len(set(found)) == 10_001


class TestDocument:
    def test_gives_back_the_prices_it_was_made_of(self, pro: Tenant) -> None:
        tiers = PriceTier.objects.filter(allowance__plan__slug="pro", allowance__metric__code="api_calls")
        tiers.update(up_to=250_000, price=Decimal("0.40"), per=1_000, rounds_up=True)
        PriceTier.objects.create(allowance=tiers.get().allowance, price=Decimal("0.000000003"), per=7)
        Override.objects.create(
            tenant=pro,
            metric=Metric.objects.get(code="storage"),
            mode="set",
            units=None,
            reason="test",
            starts=NOVEMBER,
            ends=datetime(2026, 11, 16, 3, 30, tzinfo=UTC),
        )
        one = rates(pro)
        with transaction.atomic():
            [statement] = issue([drafted(pro, {})])
        statement.refresh_from_db()
        again = rates_in(statement, pro, {metric.code: metric for metric in Metric.objects.all()})
        assert again.prices == one.prices
        assert again.period == one.period
        assert again.rates["storage"].steps == one.rates["storage"].steps
        assert again.fees == ()

    @given(
        prices(),
        st.lists(
            st.tuples(st.integers(0, 10**5), st.integers(1, 744), st.booleans()), min_size=2, max_size=4
        ),
    )
    @hypothesis_settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_and_its_adjustments_sum_to_what_is_right_at_last(
        self, pro: Tenant, price: Any, uses: list[tuple[int, int, bool]]
    ) -> None:
        """Whatever comes late, more or less of it: amounts, units and tiers add up to the last bill."""
        one = rates(pro)
        rate = one.rates["api_calls"]
        of_price = type(rate)(rate.metric, rate.allowance, price, rate.steps)
        one = Rates(pro, one.period, one.plan, lambda moment: None, {"api_calls": of_price})
        rights = Contracts([pro], NOVEMBER).entitlements(pro, NOVEMBER)
        documents: list[Any] = []
        for used, hours, is_level in uses:
            use = Use(used, excess=used, hours=hours) if is_level else Use(used)
            now = bill((), one.prices, {"api_calls": use})
            if documents:
                documents.append({"lines": difference(one, now, documents)})
            else:
                documents.append(document_of(one, now, rights))
        [right] = now.lines
        lines = [line for document in documents for line in document["lines"]]
        assert sum(Decimal(line["amount"]) for line in lines) == right.amount
        assert all(Decimal(line["amount"]) for line in lines[1:])
        for line in lines:
            assert sum(Decimal(tier["amount"]) for tier in line["tiers"]) == Decimal(line["amount"])
            assert sum(Fraction(tier["units"]) for tier in line["tiers"]) == Fraction(line["billable"])
        if documents[-1]["lines"]:
            assert sum(Fraction(line["billable"]) for line in lines) == right.billable
            assert sum(line["used"] for line in lines) == right.use.used
