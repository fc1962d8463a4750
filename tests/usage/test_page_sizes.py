"""Pages and polls are small as they are sent: compressed, and without what has not changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Metric
from tenants.models import Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, text
from usage.models import Daybook, UsageDay

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

GZIP = {"Accept-Encoding": "gzip"}
LATER_PAGE, POLL = 15_000, 2_000  # bytes


@pytest.fixture
def busy(make_tenant: MakeTenant) -> Tenant:
    """A tenant whose days differ: what repeats itself would be sent in no space at all."""
    tenant, now = make_tenant(plan="pro"), timezone.now()
    today = now.astimezone(UTC).date()
    Daybook.objects.create(pk=1, open_from=today)
    UsageDay.objects.bulk_create(
        UsageDay(
            tenant=tenant,
            metric=metric,
            day=today - timedelta(days=back),
            label="GET /ping",
            quantity=100 + (back + metric.pk) ** 3 * 7919 % 19_937,
        )
        for metric in Metric.objects.filter(kind=Metric.Kind.SUM)
        for back in range(1, 100)
    )
    use(tenant, "api_calls", 1_000, at=now)
    return tenant


@pytest.fixture
def browser(client_for: Callable[[User], Client], make_user: MakeUser, busy: Tenant) -> Client:
    return client_for(make_user(role="owner", tenant=busy))


class TestOverview:
    def test_is_small(self, browser: Client, busy: Tenant) -> None:
        assert len(browser.get(address(busy), headers=GZIP).content) < LATER_PAGE

    def test_is_smaller_still_when_it_is_polled(self, browser: Client, busy: Tenant) -> None:
        assert len(browser.get(address(busy), {"seen": "0"}, headers=HTMX | GZIP).content) < POLL

    def test_draws_the_weeks_once(self, browser: Client, busy: Tenant) -> None:
        assert text(browser.get(address(busy))).count('class="spark"') == 4
        poll = text(browser.get(address(busy), {"seen": "0"}, headers=HTMX))
        assert 'class="spark"' not in poll
        assert poll.count('hx-preserve="true"') == 4


class TestMetric:
    def test_is_small(self, browser: Client, busy: Tenant) -> None:
        page = address(busy, "metric", code="api_calls")
        for window in ("period", "30d", "90d"):
            assert len(browser.get(page, {"range": window}, headers=GZIP).content) < LATER_PAGE
        assert len(browser.get(page, {"seen": "0"}, headers=HTMX | GZIP).content) < POLL
