"""A raise for one tenant for a time: what it adds, that counting is told, and that it ends early."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.entitlements import entitlements
from billing.limits import Limit
from billing.models import MAX_QUANTITY, Allowance, EntitlementChange, Metric, Override
from billing.overrides import end_early, grant, units_more
from billing.quantities import NotAQuantity
from tenants.models import AuditEntry, Tenant, User
from tests.conftest import MakeTenant

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def limit(included: int | None, *, unit: Metric.Unit = Metric.Unit.COUNT, hard: int | None = None) -> Limit:
    metric = Metric(code="api_calls", name="API calls", unit=unit)
    return Limit(metric, Allowance(), included, hard)


class TestUnitsMore:
    @pytest.mark.parametrize(
        ("text", "included", "units"),
        [
            ("10 %", 50_000, 5_000),
            ("+10%", 50_000, 5_000),
            ("12.5 %", 1_000, 125),
            ("10 %", 1_001, 101),  # rounded up: nobody gets less than was said
            ("50,000", 1, 50_000),
            ("+ 7", 0, 7),
        ],
    )
    def test_reads_percent_and_units(self, text: str, included: int, units: int) -> None:
        assert units_more(text, limit(included)) == units

    def test_reads_sizes_of_bytes_alone(self) -> None:
        assert units_more("5 GB", limit(1, unit=Metric.Unit.BYTES)) == 5 * 10**9
        with pytest.raises(NotAQuantity, match="“5 GB” is a size, but API calls are counted"):
            units_more("5 GB", limit(1))

    @pytest.mark.parametrize("text", ["0", "0 %", "10 %", "-5", "ten", "5 %%", "", "1,5", f"{MAX_QUANTITY}0"])
    def test_refuses_what_adds_nothing_or_is_no_amount(self, text: str) -> None:
        with pytest.raises(NotAQuantity):
            units_more(text, limit(0))

    def test_refuses_more_than_can_be_counted(self) -> None:
        with pytest.raises(NotAQuantity, match="the most that is counted"):
            units_more("1", limit(5, hard=MAX_QUANTITY))

    @given(percent=st.integers(1, 9_999), included=st.integers(1, 10**12))
    def test_a_percentage_is_never_less_than_said_and_less_than_a_unit_more(
        self, percent: int, included: int
    ) -> None:
        units = units_more(f"{percent} %", limit(included))
        assert 0 <= units * 100 - included * percent < 100


class TestGrant:
    def test_adds_to_the_limit_until_it_ends(self, make_tenant: MakeTenant, staff: User) -> None:
        tenant = make_tenant(plan="starter")
        metric = Metric.objects.get(code="api_calls")
        grant(tenant, metric, units=5_000, ends=END, reason="launch", author=staff, at=NOW)
        found = [
            entitlements(tenant, at).limits["api_calls"].stop for at in (NOW, END - timedelta(seconds=1), END)
        ]
        assert found == [55_000, 55_000, 50_000]

    def test_says_who_and_why_everywhere(self, tenant: Tenant, staff: User) -> None:
        metric = Metric.objects.get(code="api_calls")
        made = grant(tenant, metric, units=100, ends=END, reason="ticket 4711", author=staff, at=NOW)
        words = "Override: API calls +100 until 1 Dec 2026, 00:00 UTC (ticket 4711)"
        change, entry = EntitlementChange.objects.get(), AuditEntry.objects.get()
        assert (change.reason, change.actor, change.at) == (words, staff, NOW)
        assert (entry.actor, entry.tenant, entry.detail) == (staff, tenant, {"reason": words})
        assert made.history.get().history_user == staff


class TestEndEarly:
    def given(self, tenant: Tenant, staff: User, starts: datetime = NOW) -> Override:
        metric = Metric.objects.get(code="api_calls")
        return Override.objects.create(
            tenant=tenant, metric=metric, units=5, reason="launch", author=staff, starts=starts, ends=END
        )

    def test_ends_it_now_and_tells(self, tenant: Tenant, staff: User) -> None:
        made = self.given(tenant, staff)
        assert end_early(made, by=staff, at=NOW + DAY)
        made.refresh_from_db()
        assert made.ends == NOW + DAY
        assert EntitlementChange.objects.get().reason.startswith("Override ended early: API calls +5")

    def test_takes_back_what_has_yet_to_begin(self, tenant: Tenant, staff: User) -> None:
        assert end_early(self.given(tenant, staff, NOW + DAY), by=staff, at=NOW)
        assert not Override.objects.exists()

    def test_does_nothing_to_what_has_ended(self, tenant: Tenant, staff: User) -> None:
        made = self.given(tenant, staff)
        assert not end_early(made, by=staff, at=END)
        assert end_early(made, by=staff, at=END - DAY)
        assert not end_early(made, by=staff, at=END - DAY)
        assert EntitlementChange.objects.count() == 1
