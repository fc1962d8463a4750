"""Reconcile: damage in Redis, in the totals or in the hours is found and raised; nothing is ever lowered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import date, timedelta

import pytest
import redis
from django.core.management import call_command
from django.db import connection

from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import Clock, by_label, collect, flush, in_hours, keep, kept, live, members
from usage.metering import Charge, audit, chores, consume, keys, ledger, reconcile
from usage.metering.history import roll_up_days
from usage.metering.ledger import Totals
from usage.models import Heartbeat, Standing, UsageDay, UsageHour, UsageLevel, UsageMember, UsagePeriod

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]

PERIOD = "2026-11-01"
CODES = ("api_calls", "storage", "users")


@pytest.fixture
def counted(tenant: Tenant, clock: Clock) -> Tenant:
    """With 200 calls under two labels, 70 bytes stored and two users, all flushed."""
    consume(tenant, Charge("api_calls", 150, "GET"), Charge("storage", 100), at=clock.now)
    consume(tenant, Charge("api_calls", 50, "PUT"), Charge("storage", -30), at=clock.now)
    for member in ("ada", "bob"):
        consume(tenant, Charge("users", member=member), at=clock.now)
    flush(clock.now)
    clock.tick(minutes=1)
    return tenant


def state(tenant: Tenant, clock: Clock) -> list[tuple[int, int]]:
    """Of each metric what Redis and the totals say."""
    return [(live(tenant, code, clock.now), kept(tenant, code)) for code in CODES]


WELL = [(200, 200), (70, 70), (2, 2)]


class TestWell:
    def test_nothing_is_found_or_touched(self, counted: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        before = {key: redis_db.dump(key) for key in redis_db.keys("hr:*")}
        assert chores.reconcile(clock.now) == 0
        assert {key: redis_db.dump(key) for key in redis_db.keys("hr:*")} == before

    def test_after_the_loss_of_redis(self, counted: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        redis_db.flushdb()
        clock.tick(seconds=1)
        assert chores.reconcile(clock.now) == 0
        consume(counted, Charge("api_calls", 5), Charge("users", member="cy"), at=clock.now)
        flush(clock.now)
        assert chores.reconcile(clock.now) == 0
        assert kept(counted, "api_calls") == 205

    def test_when_days_are_closed_and_added_up(self, counted: Tenant, clock: Clock) -> None:
        clock.tick(days=2)
        roll_up_days(clock.now)
        UsageHour.objects.filter(tenant=counted).delete()  # their time may be over
        assert UsageDay.objects.filter(tenant=counted).exists()
        assert chores.reconcile(clock.now) == 0

    def test_who_is_dirty_is_left_alone(self, counted: Tenant, clock: Clock) -> None:
        consume(counted, Charge("api_calls", 7), at=clock.now)
        assert chores.reconcile(clock.now) == 0
        assert Heartbeat.objects.get(pk="reconcile").detail["runs"][0]["moving"] == 1

    def test_counts_of_a_lost_epoch_that_come_while_it_reads_are_counted_once(
        self, counted: Tenant, clock: Clock, redis_db: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A flusher that read before Redis was lost commits between the reading of totals and that of hours."""
        consume(counted, Charge("api_calls", 9), at=clock.now)
        late = collect(counted)
        redis_db.flushdb()
        clock.tick(seconds=1)
        consume(counted, Charge("api_calls", 1), at=clock.now)
        flush(clock.now)
        totals = ledger.totals

        def commit() -> None:
            keep(late)
            connection.close()

        def then_commit(wanted: Iterable[tuple[int, date]]) -> Totals:
            found = totals(wanted)
            monkeypatch.setattr(ledger, "totals", totals)
            flusher = threading.Thread(target=commit)
            flusher.start()
            flusher.join()
            return found

        monkeypatch.setattr(ledger, "totals", then_commit)
        for _ in range(2):
            chores.reconcile(clock.now)
        assert state(counted, clock)[0] == (210, 210)

    def test_who_changes_meanwhile_is_left_alone(
        self, counted: Tenant, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Counted and flushed between the reading of Redis and that of PostgreSQL."""
        known = audit._Known

        def meanwhile(periods: object) -> object:
            consume(counted, Charge("api_calls", 7), at=clock.now)
            flush(clock.now)
            return known(periods)  # type: ignore[arg-type]

        monkeypatch.setattr(audit, "_Known", meanwhile)
        assert chores.reconcile(clock.now) == 0


def redis_lost_calls(tenant: Tenant, server: redis.Redis) -> None:
    server.hset(keys.account(tenant.pk, PERIOD), "u:api_calls", 150)


def redis_lost_level(tenant: Tenant, server: redis.Redis) -> None:
    server.hset(keys.tenant(tenant.pk), mapping={"a:storage": 60, "r:storage": 10})


def redis_lost_members(tenant: Tenant, server: redis.Redis) -> None:
    server.srem(keys.members(tenant.pk, "users", PERIOD), "ada")
    server.hset(keys.account(tenant.pk, PERIOD), "u:users", 1)


def redis_lost_count_of_members(tenant: Tenant, server: redis.Redis) -> None:
    server.hset(keys.account(tenant.pk, PERIOD), "u:users", 1)


def totals_lost_calls(tenant: Tenant, server: redis.Redis) -> None:
    UsagePeriod.objects.filter(tenant=tenant, metric__code="api_calls").update(used=20)


def totals_lost_row(tenant: Tenant, server: redis.Redis) -> None:
    UsagePeriod.objects.filter(tenant=tenant, metric__code="api_calls").delete()


def totals_lost_level(tenant: Tenant, server: redis.Redis) -> None:
    UsageLevel.objects.filter(tenant=tenant).update(added=80, removed=10)


def totals_lost_count_of_members(tenant: Tenant, server: redis.Redis) -> None:
    UsagePeriod.objects.filter(tenant=tenant, metric__code="users").update(used=1)


def totals_lost_members(tenant: Tenant, server: redis.Redis) -> None:
    UsageMember.objects.filter(tenant=tenant, member="ada").delete()


def hours_lost_label(tenant: Tenant, server: redis.Redis) -> None:
    UsageHour.objects.filter(tenant=tenant, label="PUT").delete()


def redis_and_totals_lost_calls(tenant: Tenant, server: redis.Redis) -> None:
    redis_lost_calls(tenant, server)
    totals_lost_calls(tenant, server)


DAMAGE = [
    redis_lost_calls,
    redis_lost_level,
    redis_lost_members,
    redis_lost_count_of_members,
    totals_lost_calls,
    totals_lost_row,
    totals_lost_level,
    totals_lost_count_of_members,
    totals_lost_members,
    hours_lost_label,
    redis_and_totals_lost_calls,
]


class TestDamage:
    @pytest.mark.parametrize("damage", DAMAGE)
    def test_is_found_once_and_raised(
        self,
        counted: Tenant,
        clock: Clock,
        redis_db: redis.Redis,
        damage: Callable[[Tenant, redis.Redis], None],
    ) -> None:
        damage(counted, redis_db)
        assert chores.reconcile(clock.now) > 0
        assert state(counted, clock) == WELL
        assert in_hours(counted, "api_calls") == 200
        assert members(counted) == {"ada", "bob"}
        assert chores.reconcile(clock.tick(minutes=10)) == 0

    @pytest.mark.parametrize("damage", DAMAGE)
    def test_stays_repaired_when_counting_goes_on(
        self,
        counted: Tenant,
        clock: Clock,
        redis_db: redis.Redis,
        damage: Callable[[Tenant, redis.Redis], None],
    ) -> None:
        damage(counted, redis_db)
        chores.reconcile(clock.now)
        consume(counted, Charge("api_calls", 10, "GET"), Charge("storage", 5), at=clock.now)
        consume(counted, Charge("users", member="cy"), at=clock.now)
        flush(clock.now)
        assert state(counted, clock) == [(210, 210), (75, 75), (3, 3)]
        assert in_hours(counted, "api_calls") == 210
        assert chores.reconcile(clock.tick(minutes=10)) == 0

    def test_of_hours_that_redis_holds_is_written_again(
        self, counted: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        hours_lost_label(counted, redis_db)
        assert chores.reconcile(clock.now) == 1
        assert by_label(counted, "api_calls") == {"GET": 150, "PUT": 50}

    def test_of_older_hours_goes_under_the_label_of_all_others(
        self, counted: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        redis_db.delete(keys.hour(counted.pk, keys.hour_name(clock.now)))
        clock.tick(hours=6)
        UsageHour.objects.filter(tenant=counted, label="PUT").update(quantity=10)
        chores.reconcile(clock.now)
        assert by_label(counted, "api_calls") == {"GET": 150, "PUT": 10, "other": 40}

    def test_in_redis_is_enforced_again(self, counted: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        redis_lost_calls(counted, redis_db)
        chores.reconcile(clock.now)
        assert consume(counted, Charge("api_calls", 801), at=clock.now).refused
        assert consume(counted, Charge("api_calls", 800), at=clock.now).allowed

    def test_of_totals_without_redis_is_raised_from_hours(
        self, counted: Tenant, clock: Clock, redis_db: redis.Redis
    ) -> None:
        redis_db.flushdb()
        clock.tick(seconds=1)
        totals_lost_row(counted, redis_db)
        assert chores.reconcile(clock.now) == 1
        assert kept(counted, "api_calls") == 200
        consume(counted, Charge("api_calls"), at=clock.now)
        assert live(counted, "api_calls", clock.now) == 201

    def test_is_never_lowered(self, counted: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        redis_db.hset(keys.account(counted.pk, PERIOD), "u:api_calls", 260)
        UsageHour.objects.filter(tenant=counted, label="PUT").update(quantity=90)
        assert chores.reconcile(clock.now) > 0
        assert state(counted, clock)[0] == (260, 260)
        assert in_hours(counted, "api_calls") == 260

    def test_has_thresholds_judged(self, counted: Tenant, clock: Clock, redis_db: redis.Redis) -> None:
        """Three users are all that the plan has; the third was lost."""
        redis_db.sadd(keys.members(counted.pk, "users", PERIOD), "cy")
        redis_db.hset(keys.account(counted.pk, PERIOD), "u:users", 3)
        chores.reconcile(clock.now)
        assert Standing.objects.get(tenant=counted).fill == 100

    def test_of_many_tenants_is_found_in_batches(
        self,
        make_tenant: MakeTenant,
        clock: Clock,
        redis_db: redis.Redis,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(reconcile, "TENANTS", 2)
        tenants = [make_tenant(f"tenant-{number}") for number in range(5)]
        for one in tenants:
            consume(one, Charge("api_calls", 200), at=clock.now)
        flush(clock.now)
        for one in tenants:
            redis_lost_calls(one, redis_db)
        assert chores.reconcile(clock.now) == 5
        assert {live(one, "api_calls", clock.now) for one in tenants} == {200}


class TestTold:
    def test_what_was_found_is_remembered_and_logged(
        self, counted: Tenant, clock: Clock, redis_db: redis.Redis, caplog: pytest.LogCaptureFixture
    ) -> None:
        for minute in range(6):
            if minute == 5:
                redis_lost_calls(counted, redis_db)
            chores.reconcile(clock.tick(minutes=10))
        sentence = "Northwind, API calls: Redis raised by 50"
        runs = Heartbeat.objects.get(pk="reconcile").detail["runs"]
        assert [run["found"] for run in runs] == [1, 0, 0, 0, 0]
        assert runs[0]["said"] == [sentence]
        assert (runs[0]["counts"], runs[0]["moving"]) == (4, 0)
        assert sentence in caplog.text

    def test_by_the_command(
        self, counted: Tenant, redis_db: redis.Redis, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("chore", "reconcile")
        assert capsys.readouterr().out == "reconcile: 0\n"

    def test_who_has_been_idle_takes_turns(self, counted: Tenant, clock: Clock) -> None:
        clock.tick(days=3)
        seen = 0
        for turn in range(reconcile.TURNS):
            at = clock.now + timedelta(minutes=10 * turn)
            seen += sum(len(batch) for batch in reconcile._batches(at))
        assert seen == 1
