"""How many tenants an edit of a plan would leave over their limit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.changes import tenants_on
from billing.models import Allowance, Metric, Override, Plan
from tenants.models import Tenant, User
from tests.forms import form_data
from tests.usage.standing import AT, standing
from usage.models import Standing, UsageLevel, UsagePeriod
from usage.reports.over import over_limit

pytestmark = pytest.mark.django_db


def metric(code: str) -> Metric:
    return Metric.objects.get(code=code)


def used(slug: str, code: str, *parts: int) -> Tenant:
    """A tenant on the free plan that used so much in each epoch of its period; of a level what was added."""
    where = Standing.objects.filter(tenant__slug=slug).first() or standing(slug)
    for epoch, units in enumerate(parts, 1):
        key = {"tenant": where.tenant, "metric": metric(code), "epoch": epoch}
        if code == "storage":
            UsageLevel.objects.create(**key, added=units, removed=0)
        else:
            UsagePeriod.objects.create(**key, period=where.period, used=units)
    return where.tenant


def give(code: str, included: int | None, **fields: object) -> None:
    Allowance.objects.filter(plan__slug="free", metric__code=code).update(included=included, **fields)


def count() -> int:
    plan = Plan.objects.get(slug="free")
    return over_limit(plan, tenants_on(plan, AT), AT)


class TestOverLimit:
    def test_counts_who_used_more_over_all_epochs(self) -> None:
        used("a", "api_calls", 400, 300)
        used("b", "api_calls", 500)
        used("c", "api_calls", 501)
        give("api_calls", 500)
        assert count() == 2

    def test_counts_levels_and_members(self) -> None:
        tenant = used("a", "storage", 900, 200)
        UsageLevel.objects.filter(tenant=tenant, epoch=1).update(removed=500)
        used("b", "users", 4)
        give("storage", 600)
        assert count() == 1  # b: more than three members
        give("storage", 599)
        assert count() == 2

    def test_counts_a_tenant_once(self) -> None:
        used("a", "api_calls", 10)
        used("a", "users", 10)
        give("api_calls", 5)
        give("users", 5)
        assert count() == 1

    def test_measures_against_where_requests_stop(self) -> None:
        used("a", "api_calls", 900)
        give("api_calls", 500, beyond="bill", hard_limit=1000)
        assert count() == 0
        give("api_calls", 500, beyond="bill", hard_limit=None)
        assert count() == 1
        give("api_calls", None)
        assert count() == 0

    def test_leaves_out_earlier_periods(self) -> None:
        tenant = used("a", "api_calls", 10)
        UsagePeriod.objects.create(
            tenant=tenant, metric=metric("api_calls"), period="2026-10-01", epoch=9, used=9_999
        )
        assert count() == 0
        Standing.objects.update(period_ends=AT - timedelta(hours=1))
        give("api_calls", 1)
        assert count() == 0  # its period is over: it has used nothing in the next

    def test_knows_overrides(self) -> None:
        more, less, plain = (used(slug, "api_calls", 900) for slug in ("a", "b", "c"))
        starts = AT - timedelta(days=1)
        common = {"metric": metric("api_calls"), "reason": "x", "starts": starts}
        Override.objects.create(tenant=more, mode="add", units=600, **common)
        Override.objects.create(tenant=less, mode="set", units=10, **common)
        Override.objects.create(tenant=plain, mode="add", units=600, ends=AT - timedelta(hours=1), **common)
        for one in Standing.objects.all():
            assert str(one.period) == "2026-11-01"
        assert count() == 1  # b alone: 1,000 are included
        give("api_calls", 500)
        assert count() == 2

    def test_asks_the_same_of_many_as_of_few(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(20):
            used(f"t{n}", "api_calls", 10)
        with django_assert_max_num_queries(14):
            count()

    def test_is_what_the_admin_says_before_it_saves(
        self, client_for: Callable[[User], Client], staff: User
    ) -> None:
        tenant = used("a", "api_calls", 900)
        Standing.objects.filter(tenant=tenant).update(period_ends=AT + timedelta(days=36_500))
        path = reverse("admin:billing_plan_change", args=[Plan.objects.get(slug="free").pk])
        admin = client_for(staff)
        sent = form_data(admin.get(path), "plan_form", **{"allowances-0-included": "500"})
        html = admin.post(path, sent).content.decode()
        assert "<strong>1 tenant</strong>" in html
        assert "<strong>1</strong> would be over its limit" in html
