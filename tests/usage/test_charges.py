"""Charges that can't be counted: each is an error with a name, and counts nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from billing.models import Allowance
from tenants.models import Tenant
from tests.usage.counting import Clock, live
from usage.metering import (
    BurstTooSmall,
    Charge,
    ChargeError,
    InvalidAmount,
    InvalidLabel,
    InvalidMember,
    TenantClosed,
    UnknownMetric,
    consume,
    keys,
    measure,
    record,
)

pytestmark = [pytest.mark.django_db, pytest.mark.counting]


class TestErrors:
    @pytest.mark.parametrize(
        ("charge", "error"),
        [
            (Charge("coffee"), UnknownMetric),
            (Charge("api_calls", 0), InvalidAmount),
            (Charge("api_calls", -1), InvalidAmount),
            (Charge("api_calls", 1.5), InvalidAmount),  # type: ignore[arg-type]
            (Charge("api_calls", True), InvalidAmount),
            (Charge("api_calls", 2**53 + 1), InvalidAmount),
            (Charge("storage", -(2**53) - 1), InvalidAmount),
            (Charge("users", 2, member="ada"), InvalidAmount),
            (Charge("api_calls", label="x" * 49), InvalidLabel),
            (Charge("api_calls", label="é" * 25), InvalidLabel),
            (Charge("api_calls", label="a\nb"), InvalidLabel),
            (Charge("api_calls", label="\ud800"), InvalidLabel),
            (Charge("users"), InvalidMember),
            (Charge("users", member=""), InvalidMember),
            (Charge("users", member="x" * 201), InvalidMember),
            (Charge("users", member="a\0b"), InvalidMember),
            (Charge("users", member="\ud800"), InvalidMember),
            (Charge("api_calls", member="ada"), InvalidMember),
        ],
    )
    @pytest.mark.parametrize("verb", [consume, record])
    def test_wrong_charge(
        self,
        tenant: Tenant,
        clock: Clock,
        redis_db: redis.Redis,
        verb: Callable[..., object],
        charge: Charge,
        error: type[ChargeError],
    ) -> None:
        with pytest.raises(error):
            verb(tenant, Charge("bandwidth", 5), charge, at=clock.now)
        assert not redis_db.exists(keys.tenant(tenant.pk))

    @pytest.mark.parametrize("amount", [-1, 1.5, 2**53 + 1, True])
    def test_wrong_level(self, tenant: Tenant, clock: Clock, amount: int) -> None:
        with pytest.raises(InvalidAmount):
            measure(tenant, "storage", amount, at=clock.now)

    def test_only_levels_are_measured(self, tenant: Tenant, clock: Clock) -> None:
        with pytest.raises(InvalidAmount, match="only a level"):
            measure(tenant, "api_calls", 5, at=clock.now)

    def test_message_names_the_value_and_the_remedy(self, tenant: Tenant, clock: Clock) -> None:
        with pytest.raises(UnknownMetric, match=r"'coffee'.*api_calls, storage, users, bandwidth"):
            consume(tenant, Charge("coffee"), at=clock.now)

    @pytest.mark.parametrize("verb", [consume, record])
    def test_nothing_to_count(self, tenant: Tenant, clock: Clock, verb: Callable[..., object]) -> None:
        with pytest.raises(InvalidAmount, match="at least one"):
            verb(tenant, at=clock.now)

    @pytest.mark.parametrize("verb", [consume, record])
    def test_more_than_a_script_takes(
        self, tenant: Tenant, clock: Clock, verb: Callable[..., object]
    ) -> None:
        """It is the caller's mistake, and no sign that Redis is away."""
        with pytest.raises(InvalidAmount, match="1001 charges at once"):
            verb(tenant, *[Charge("bandwidth")] * 1_001, at=clock.now)
        assert record(tenant, *[Charge("bandwidth")] * 1_000, at=clock.now).is_counted
        assert live(tenant, "bandwidth", clock.now) == 1_000

    def test_more_than_numbers_hold(self, tenant: Tenant, clock: Clock) -> None:
        record(tenant, Charge("bandwidth", 2**53), at=clock.now)
        with pytest.raises(InvalidAmount, match="would pass"):
            record(tenant, Charge("api_calls"), Charge("bandwidth", 1), at=clock.now)
        assert [live(tenant, code, clock.now) for code in ("api_calls", "bandwidth")] == [0, 2**53]

    def test_more_at_once_than_the_burst(self, tenant: Tenant, clock: Clock) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="api_calls").update(burst=10)
        with pytest.raises(BurstTooSmall):
            consume(tenant, Charge("bandwidth"), Charge("api_calls", 11), at=clock.now)
        assert live(tenant, "bandwidth", clock.now) == 0


class TestClosed:
    @pytest.mark.parametrize(
        "use",
        [
            lambda tenant, at: consume(tenant, Charge("api_calls"), at=at),
            lambda tenant, at: record(tenant, Charge("api_calls"), at=at),
            lambda tenant, at: measure(tenant, "storage", 5, at=at),
        ],
    )
    def test_closed_tenant_uses_nothing(
        self, tenant: Tenant, clock: Clock, use: Callable[..., object]
    ) -> None:
        tenant.status = Tenant.Status.CLOSED
        with pytest.raises(TenantClosed):
            use(tenant, clock.now)

    def test_account_of_a_tenant_closed_meanwhile_is_not_opened(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        Tenant.objects.filter(pk=tenant.pk).update(status=Tenant.Status.CLOSED)
        with pytest.raises(TenantClosed):
            consume(tenant, Charge("api_calls"), at=clock.now)
        assert not redis_db.exists(keys.tenant(tenant.pk))

    def test_suspended_tenant_is_counted(self, tenant: Tenant, clock: Clock) -> None:
        """Its requests are refused above; what it still stores stays its own."""
        tenant.status = Tenant.Status.SUSPENDED
        assert record(tenant, Charge("storage", -5), at=clock.now).is_counted
