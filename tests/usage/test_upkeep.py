"""Limits change under open accounts: by themselves, by edits, ahead of midnight, in races with openers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.changes import limits_changed
from billing.models import EntitlementChange, Metric, Override, Plan
from billing.subscriptions import subscribe
from tenants.anchors import change_anchor
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import Clock, flush
from usage.metering import Charge, accounts, chores, consume, record, standings
from usage.metering.standings import Touch
from usage.models import Alert, Standing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

Edit = Callable[..., None]


def calls(amount: int = 1) -> Charge:
    return Charge("api_calls", amount)


class TestOverrides:
    def test_override_ends_by_itself(self, tenant: Tenant, clock: Clock) -> None:
        metric, ends = (
            Metric.objects.get(code="api_calls"),
            clock.now + timedelta(minutes=10, microseconds=500),
        )
        Override.objects.create(
            tenant=tenant, metric=metric, units=500, reason="help", starts=clock.now, ends=ends
        )
        assert consume(tenant, calls(1_200), at=clock.now).remaining == 300
        clock.move_to(ends - timedelta(milliseconds=1))
        assert consume(tenant, calls(1), at=clock.now).remaining == 299
        clock.move_to(ends)
        assert consume(tenant, calls(1), at=clock.now).refused

    def test_override_ends_by_the_clock_of_redis(self, tenant: Tenant, clock: Clock) -> None:
        metric, ends = Metric.objects.get(code="api_calls"), clock.now + timedelta(minutes=10)
        Override.objects.create(
            tenant=tenant, metric=metric, units=500, reason="help", starts=clock.now, ends=ends
        )
        consume(tenant, calls(1_200), at=clock.now)
        late = ends - timedelta(seconds=30)  # what a slow worker believes
        clock.move_to(ends)
        decision = consume(tenant, calls(1), at=late)
        assert decision.is_counted
        assert decision.refused

    def test_override_begins_by_itself(self, tenant: Tenant, clock: Clock) -> None:
        metric, starts = Metric.objects.get(code="api_calls"), clock.now + timedelta(minutes=10)
        Override.objects.create(tenant=tenant, metric=metric, units=500, reason="help", starts=starts)
        assert consume(tenant, calls(1_001), at=clock.now).refused
        clock.move_to(starts)
        assert consume(tenant, calls(1_001), at=clock.now).allowed


class TestEdits:
    def test_plan_edit_is_felt_by_open_accounts(
        self, make_tenant: MakeTenant, clock: Clock, edit: Edit
    ) -> None:
        tenants = [make_tenant(f"tenant-{number}") for number in range(3)]
        other = make_tenant("other", "starter")
        for tenant in (*tenants, other):
            consume(tenant, calls(5), at=clock.now)
        chores.take_over_changes(clock.now)  # that the other has a plan
        edit("free", included=6)
        assert chores.take_over_changes(clock.now) == 3
        for tenant in tenants:
            assert consume(tenant, calls(1), at=clock.now).allowed
            assert consume(tenant, calls(1), at=clock.now).refused
        assert consume(other, calls(10), at=clock.now).allowed

    def test_raised_limit_lets_through_again(self, tenant: Tenant, clock: Clock, edit: Edit) -> None:
        consume(tenant, calls(1_000), at=clock.now)
        assert consume(tenant, calls(), at=clock.now).refused
        edit("free", included=1_001)
        chores.take_over_changes(clock.now)
        decision = consume(tenant, calls(), at=clock.now)
        assert (decision.allowed, decision.remaining) == (True, 0)

    def test_change_of_plan_is_felt_at_once(self, tenant: Tenant, clock: Clock) -> None:
        consume(tenant, calls(1_000), at=clock.now)
        subscribe(tenant, Plan.objects.get(slug="starter"), at=clock.now, actor=None, reason="more")
        chores.take_over_changes(clock.now)
        decision = consume(tenant, calls(), at=clock.now)
        assert (decision.remaining, decision.plan and decision.plan.slug) == (48_999, "starter")

    def test_limits_taken_from_a_metric_are_felt(self, tenant: Tenant, clock: Clock, edit: Edit) -> None:
        consume(tenant, calls(), at=clock.now)
        edit("free", delete=True)
        chores.take_over_changes(clock.now)
        assert consume(tenant, calls(), at=clock.now).refused

    def test_reaches_the_next_period_too(self, tenant: Tenant, clock: Clock, edit: Edit) -> None:
        clock.move_to(datetime.fromisoformat("2026-11-30T23:30:00Z"))
        consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 1
        edit("free", included=2)
        chores.take_over_changes(clock.now)
        clock.tick(minutes=30)
        with CaptureQueriesContext(connection) as queries:
            assert consume(tenant, calls(3), at=clock.now).refused
        assert len(queries) == 0

    def test_reaches_who_falls_back_to_the_plan_when_its_own_ends(
        self, make_tenant: MakeTenant, clock: Clock, edit: Edit
    ) -> None:
        tenant = make_tenant("leaving", "starter")
        tenant.subscriptions.update(ends=TestAhead.MIDNIGHT)
        clock.move_to(TestAhead.MIDNIGHT - timedelta(minutes=30))
        consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 1
        edit("free", included=2)
        chores.take_over_changes(clock.now)
        clock.move_to(TestAhead.MIDNIGHT)
        assert consume(tenant, calls(3), at=clock.now).refused

    def test_is_written_down_once_and_judged(self, tenant: Tenant, clock: Clock, edit: Edit) -> None:
        record(tenant, calls(700), at=clock.now)
        flush(clock.now)
        edit("free", included=800)
        assert [chores.take_over_changes(clock.now) for _ in range(2)] == [1, 0]
        change = EntitlementChange.objects.get()
        assert (change.felt_at, change.judged_at) == (clock.now, clock.now)
        assert Standing.objects.get().fill == 87
        assert set(Alert.objects.values_list("percent", "limit")) == {(80, 800)}

    def test_busiest_tenants_come_first(
        self, make_tenant: MakeTenant, clock: Clock, edit: Edit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        idle, busy, busiest = (make_tenant(slug) for slug in ("idle", "busy", "busiest"))
        for tenant in (busy, busiest):
            clock.tick(seconds=1)
            consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        seen: list[str] = []

        def noted(tenant: Tenant) -> Tenant:
            seen.append(tenant.slug)
            return tenant

        rewrite = accounts.rewrite_limits
        monkeypatch.setattr("usage.metering.upkeep.CHUNK", 1)
        monkeypatch.setattr(
            "usage.metering.upkeep.rewrite_limits",
            lambda bulk, tenants, at: rewrite(bulk, [noted(tenant) for tenant in tenants], at),
        )
        edit("free", included=5)
        chores.take_over_changes(clock.now)
        assert seen == [busiest.slug, busy.slug, idle.slug]

    def test_what_is_changed_meanwhile_comes_before_the_rest(
        self, make_tenant: MakeTenant, clock: Clock, edit: Edit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tenants = [make_tenant(slug) for slug in ("first", "second")]
        late = make_tenant("late", "starter")
        chores.take_over_changes(clock.now)
        seen: list[str] = []
        rewrite = accounts.rewrite_limits

        def note(bulk: redis.Redis, those: Iterable[Tenant], at: datetime) -> None:
            seen.extend(tenant.slug for tenant in those)
            if len(seen) == 1:
                limits_changed(Tenant.objects.filter(pk=late.pk), reason="meanwhile", at=at)
            rewrite(bulk, those, at)

        monkeypatch.setattr("usage.metering.upkeep.CHUNK", 1)
        monkeypatch.setattr("usage.metering.upkeep.rewrite_limits", note)
        edit("free", included=5)
        assert chores.take_over_changes(clock.now) == 3
        assert seen == [tenants[0].slug, late.slug, tenants[1].slug]

    def test_what_is_changed_while_others_are_judged_is_felt_before_the_next_are(
        self, make_tenant: MakeTenant, clock: Clock, edit: Edit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for slug in ("first", "second"):
            make_tenant(slug)
        late = make_tenant("late", "starter")
        chores.take_over_changes(clock.now)
        unfelt: list[int] = []
        restand = standings.restand

        def note(touched: Mapping[int, Touch | None], at: datetime) -> None:
            unfelt.append(EntitlementChange.objects.waiting().count())
            if len(unfelt) == 1:
                limits_changed(Tenant.objects.filter(pk=late.pk), reason="meanwhile", at=at)
            restand(touched, at)

        monkeypatch.setattr("usage.metering.upkeep.CHUNK", 1)
        monkeypatch.setattr("usage.metering.upkeep.restand", note)
        edit("free", included=5)
        assert chores.take_over_changes(clock.now) == 3
        assert not any(unfelt)

    def test_late_writer_does_not_bring_older_limits_back(
        self, tenant: Tenant, clock: Clock, edit: Edit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A drain that read its limits before the latest edit writes after everybody else."""
        consume(tenant, calls(5), at=clock.now)
        edit("free", included=6)
        execute = accounts.execute

        def edit_meanwhile(*arguments: object) -> object:
            patch.undo()
            edit("free", included=5)
            chores.take_over_changes(clock.now)
            return execute(*arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(accounts, "execute", edit_meanwhile)
            chores.sweep_limits(clock.now)  # nobody was used lately: writes nothing
            chores.take_over_changes(clock.now)
        assert consume(tenant, calls(), at=clock.now).refused

    def test_edit_between_reading_limits_and_opening_is_enforced(
        self, tenant: Tenant, clock: Clock, edit: Edit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The drain finds no account to rewrite, and the opener writes what it read before the edit."""
        run = accounts.run

        def edit_first(*arguments: object) -> object:
            edit("free", included=5)
            chores.take_over_changes(clock.now)
            return run(*arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(accounts, "run", edit_first)
            consume(tenant, calls(3), at=clock.now)
        assert consume(tenant, calls(3), at=clock.now).refused

    def test_sweep_brings_what_passed_unseen(self, tenant: Tenant, clock: Clock, edit: Edit) -> None:
        consume(tenant, calls(5), at=clock.now)
        flush(clock.now)
        edit("free", included=5)
        EntitlementChange.objects.update(felt_at=clock.now, judged_at=clock.now)
        assert consume(tenant, calls(), at=clock.now).allowed
        assert chores.sweep_limits(clock.now) == 1
        assert consume(tenant, calls(), at=clock.now).refused


class TestAhead:
    MIDNIGHT = datetime.fromisoformat("2026-12-01T00:00:00Z")

    def test_next_period_is_opened_before_it_begins(self, tenant: Tenant, clock: Clock) -> None:
        clock.move_to(self.MIDNIGHT - timedelta(minutes=30))
        consume(tenant, calls(999), Charge("storage", 70), at=clock.now)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 1
        consume(tenant, Charge("storage", 5), at=clock.now)
        clock.move_to(self.MIDNIGHT)
        with CaptureQueriesContext(connection) as queries:
            decision = consume(tenant, calls(5), Charge("storage", 1), at=clock.now)
        assert [gauge.used for gauge in decision.gauges] == [5, 76]
        assert len(queries) == 0

    @pytest.mark.parametrize("minutes", [61, 60 * 24 * 8])
    def test_not_earlier_than_an_hour_before(self, tenant: Tenant, clock: Clock, minutes: int) -> None:
        clock.move_to(self.MIDNIGHT - timedelta(minutes=minutes))
        consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        assert chores.open_ahead(clock.now) == 0

    def test_not_for_the_idle(self, tenant: Tenant, clock: Clock) -> None:
        clock.move_to(self.MIDNIGHT - timedelta(days=8))
        consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        clock.move_to(self.MIDNIGHT - timedelta(minutes=30))
        assert chores.open_ahead(clock.now) == 0

    def test_account_opened_ahead_follows_a_new_anchor(
        self, tenant: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        clock.move_to(self.MIDNIGHT - timedelta(minutes=30))
        consume(tenant, calls(), at=clock.now)
        flush(clock.now)
        chores.open_ahead(clock.now)
        remembered = Tenant.objects.get(pk=tenant.pk)
        change_anchor(tenant, 15, clock.now)
        tenant.save()
        limits_changed(Tenant.objects.filter(pk=tenant.pk), reason="anchor", at=clock.now)
        chores.take_over_changes(clock.now)
        clock.move_to(datetime.fromisoformat("2026-12-16T10:00:00Z"))
        assert consume(remembered, calls(), at=clock.now).period.first.isoformat() == "2026-12-15"


class TestBeginnings:
    def test_standings_follow_the_period(self, tenant: Tenant, clock: Clock) -> None:
        record(tenant, calls(900), Charge("storage", 85_000_000), at=clock.now)
        flush(clock.now)
        assert Standing.objects.get().fill == 90
        clock.move_to(TestAhead.MIDNIGHT)
        assert [chores.begin_periods(clock.now) for _ in range(2)] == [1, 0]
        standing = Standing.objects.get()
        assert (standing.period.isoformat(), standing.fill) == ("2026-12-01", 85)
        assert Alert.objects.filter(period="2026-12-01", percent=80, metric__code="storage").exists()

    def test_new_tenants_stand_too(self, tenant: Tenant, clock: Clock) -> None:
        assert chores.begin_periods(clock.now) == 1
        assert Standing.objects.get().state == Standing.State.OK
