"""The flush brings counts into PostgreSQL exactly once: repeated, late, several at once, or cut off anywhere."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction

from billing.models import Metric
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import (
    Clock,
    by_label,
    collect,
    everything_kept,
    flush,
    in_hours,
    keep,
    kept,
    live,
    members,
    refused,
    settle,
)
from usage.metering import Charge, catalogue, consume, links, measure, record, snapshots
from usage.metering import flush as flushing
from usage.metering.standings import restand
from usage.models import LevelHour, RefusalHour, Standing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]


def calls(amount: int = 1, label: str = "") -> Charge:
    return Charge("api_calls", amount, label)


class TestFlush:
    def test_keeps_what_each_kind_counted(self, tenant: Tenant, clock: Clock) -> None:
        consume(tenant, calls(2, "GET"), Charge("storage", 50), Charge("users", member="ada"), at=clock.now)
        consume(tenant, calls(1, "PUT"), Charge("storage", -20), Charge("users", member="bob"), at=clock.now)
        record(tenant, Charge("bandwidth", 900), at=clock.now)
        assert flush(clock.now) == 1
        assert [kept(tenant, code) for code in ("api_calls", "storage", "users", "bandwidth")] == [
            3,
            30,
            2,
            900,
        ]
        assert by_label(tenant, "api_calls") == {"GET": 2, "PUT": 1}
        assert members(tenant) == {"ada", "bob"}

    def test_keeps_hours_of_a_level(self, tenant: Tenant, clock: Clock) -> None:
        for amount in (50, -20, 5):
            consume(tenant, Charge("storage", amount), at=clock.now)
        clock.tick(hours=1)
        measure(tenant, "storage", 10, at=clock.now)
        flush(clock.now)
        hours = LevelHour.objects.order_by("hour").values_list("added", "removed", "peak", "closing")
        assert list(hours) == [(55, 20, 50, 35), (0, 25, 35, 10)]

    def test_keeps_refusals_by_cause(self, tenant: Tenant, clock: Clock) -> None:
        for _ in range(3):
            consume(tenant, calls(1_001), at=clock.now)
        flush(clock.now)
        assert refused(tenant, "api_calls") == 3
        assert list(RefusalHour.objects.values_list("cause", "refused")) == [("limit", 3)]
        assert kept(tenant, "api_calls") == 0

    def test_brings_many_tenants_at_once(self, make_tenant: MakeTenant, clock: Clock) -> None:
        tenants = [make_tenant(f"tenant-{number}") for number in range(5)]
        for number, tenant in enumerate(tenants, 1):
            consume(tenant, calls(number), at=clock.now)
        assert flush(clock.now) == 5
        assert [kept(tenant, "api_calls") for tenant in tenants] == [1, 2, 3, 4, 5]

    def test_goes_on_in_batches(
        self, make_tenant: MakeTenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flushing, "TENANTS", 2)
        tenants = [make_tenant(f"tenant-{number}") for number in range(5)]
        for tenant in tenants:
            consume(tenant, calls(), at=clock.now)
        assert flush(clock.now) == 5
        assert flush(clock.now) == 0

    def test_finds_nothing_the_second_time(self, tenant: Tenant, clock: Clock) -> None:
        consume(tenant, calls(), at=clock.now)
        assert [flush(clock.now), flush(clock.now)] == [1, 0]

    def test_only_of_one_tenant(self, make_tenant: MakeTenant, clock: Clock) -> None:
        first, second = make_tenant("first"), make_tenant("second")
        for tenant in (first, second):
            consume(tenant, calls(), at=clock.now)
        assert flushing.flush(links.bulk(), clock.now, only=first.pk) == 1
        assert [kept(first, "api_calls"), kept(second, "api_calls")] == [1, 0]

    def test_notes_when_the_tenant_was_last_used_by_the_clock_of_redis(
        self, tenant: Tenant, clock: Clock
    ) -> None:
        clock.tick(microseconds=123_457)
        consume(tenant, calls(), at=clock.now)
        flush(clock.now + timedelta(seconds=30))
        assert abs(Standing.objects.get().last_used - clock.now) < timedelta(milliseconds=1)  # type: ignore[operator]

    def test_who_is_only_judged_was_last_used_when_it_was(self, tenant: Tenant, clock: Clock) -> None:
        consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        before, later = Standing.objects.get(), clock.now + timedelta(minutes=1)
        restand({tenant.pk: None}, later)
        after = Standing.objects.get()
        assert (after.last_used, after.counted_at) == (before.last_used, later)

    def test_two_hours_of_a_period_at_once_change_nothing_in_redis(
        self, tenant: Tenant, clock: Clock
    ) -> None:
        consume(tenant, calls(3), Charge("storage", 5), Charge("users", member="ada"), at=clock.now)
        clock.tick(hours=1)
        consume(tenant, calls(4), at=clock.now)
        flush(clock.now)
        assert [live(tenant, code, clock.now) for code in ("api_calls", "storage", "users")] == [7, 5, 1]
        consume(tenant, calls(1), at=clock.now)
        flush(clock.now)
        assert kept(tenant, "api_calls") == live(tenant, "api_calls", clock.now) == 8

    def test_hours_of_both_sides_of_midnight_go_to_their_periods(self, tenant: Tenant, clock: Clock) -> None:
        clock.move_to(datetime.fromisoformat("2026-11-30T23:59:59Z"))
        consume(tenant, calls(3), at=clock.now)
        clock.tick(seconds=1)
        consume(tenant, calls(4), Charge("users", member="ada"), at=clock.now)
        assert flush(clock.now) == 1
        assert kept(tenant, "api_calls", period="2026-11-01") == 3
        assert kept(tenant, "api_calls", period="2026-12-01") == 4


class TestPhases:
    """Flushes in interleaved steps: collect, keep (commit), settle."""

    @pytest.fixture
    def counted(self, tenant: Tenant, clock: Clock) -> Tenant:
        consume(tenant, calls(2, "GET"), Charge("storage", 50), Charge("users", member="ada"), at=clock.now)
        return tenant

    def test_replayed_snapshot_changes_nothing(self, counted: Tenant, clock: Clock) -> None:
        snapshots = collect(counted)
        keep(snapshots)
        before = everything_kept()
        keep(snapshots)
        assert everything_kept() == before
        assert kept(counted, "users") == 1

    def test_late_snapshot_takes_nothing_back(self, counted: Tenant, clock: Clock) -> None:
        stale = collect(counted)
        consume(counted, calls(5, "GET"), Charge("storage", -40), Charge("users", member="bob"), at=clock.now)
        flush(clock.now)
        before = everything_kept()
        keep(stale)
        settle(stale)
        assert everything_kept() == before
        assert [kept(counted, code) for code in ("api_calls", "storage", "users")] == [7, 10, 2]

    def test_what_came_between_collecting_and_settling_is_flushed_next(
        self, counted: Tenant, clock: Clock
    ) -> None:
        snapshots = collect(counted)
        clock.tick(microseconds=1)
        consume(counted, calls(5), Charge("users", member="bob"), at=clock.now)
        keep(snapshots)
        settle(snapshots)
        assert flush(clock.now) == 1
        assert [kept(counted, "api_calls"), kept(counted, "users")] == [7, 2]

    def test_two_at_once_count_once(self, counted: Tenant, clock: Clock) -> None:
        first, second = collect(counted), collect(counted)
        keep(first)
        keep(second)
        settle(second)
        settle(first)
        assert [kept(counted, code) for code in ("api_calls", "storage", "users")] == [2, 50, 1]
        assert in_hours(counted, "api_calls") == 2
        assert flush(clock.now) == 0


class TestNothingLeftBehind:
    def test_newcomers_beyond_one_reading_follow(
        self, tenant: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(snapshots, "NEWCOMERS", 3)
        record(tenant, *(Charge("users", member=f"user {number}") for number in range(8)), at=clock.now)
        for _ in range(4):
            flush(clock.now)
        assert kept(tenant, "users") == len(members(tenant)) == 8
        assert flush(clock.now) == 0

    @pytest.mark.parametrize("kind", ["sum", "level", "distinct"])
    def test_metric_this_process_has_not_heard_of_yet(self, tenant: Tenant, clock: Clock, kind: str) -> None:
        consume(tenant, calls(), at=clock.now)
        old = catalogue.catalogue()
        Metric.objects.create(code="seats", name="Seats", noun="seats", kind=kind)
        catalogue.forget()
        record(tenant, Charge("seats", member="ada" if kind == "distinct" else None), at=clock.now)
        catalogue._current = old
        flush(clock.now)
        assert kept(tenant, "seats") == 1

    def test_counts_are_given_up_only_when_they_are_committed(self, tenant: Tenant, clock: Clock) -> None:
        """A host may call from inside its own transaction, and roll that back."""
        consume(tenant, calls(), at=clock.now)
        with transaction.atomic():
            flush(clock.now)
            transaction.set_rollback(True)
        assert kept(tenant, "api_calls") == 0
        flush(clock.now)
        assert kept(tenant, "api_calls") == 1
