"""What is expected of periods: learnt once a day for all, said with every flush, as tenants' own pages say it."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Metric, Override
from billing.periods import period_at
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counted import NOW, use, use_daily
from usage.metering import chores, upkeep
from usage.metering.expectations import coming
from usage.metering.history import roll_up_days
from usage.metering.ledger import Counts, keep, make_partitions, month_of
from usage.metering.standings import restand
from usage.models import Expectation, Standing
from usage.reports import dashboard
from usage.reports.meters import Meter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MIDNIGHT = NOW.replace(hour=0, minute=0, second=30)
DAY = timedelta(days=1)
METRICS = ("api_calls", "bandwidth", "storage", "users")


def live(tenant: Tenant, chance: random.Random, at: datetime) -> None:
    """Some weeks of use by chance: with a rhythm, with gaps, new, or gone quiet."""
    length, quiet = chance.choice([2, 5, 9, 20, 40, 64]), chance.choice([0, 0, 0, 3, 12])
    hours = [at.replace(minute=0, second=0) - DAY * back for back in range(length, -1, -1)]
    make_partitions({month_of(hour) for hour in hours})
    found = Counts()
    for hour in hours[: len(hours) - quiet] if length > quiet else hours:
        _use(found, tenant, chance, hour)
    keep(found)


def _use(found: Counts, tenant: Tenant, chance: random.Random, hour: datetime) -> None:
    period, (calls, traffic, storage, users) = period_at(tenant, hour).first, METRICS
    for code in (calls, traffic):
        units = round(1000 * (0.2 if hour.weekday() > 4 else 1.0) * chance.uniform(0, 2))
        if chance.random() < 0.8:
            found.hours.append((tenant.pk, pk(code), hour, "GET /ping", 1, units))
            found.periods.append((tenant.pk, pk(code), period, len(found.periods), units, 0))
    if chance.random() < 0.6:
        stored = sum(row[3] for row in found.levels) + (grown := chance.randrange(1, 5) * 10**5)
        found.levels.append((tenant.pk, pk(storage), len(found.levels), grown, 0))
        found.level_hours.append((tenant.pk, pk(storage), hour, len(found.levels), grown, 0, stored, stored))
    if chance.random() < 0.4:
        members = [f"{chance.random()}" for _ in range(chance.randrange(1, 4))]
        found.members += [(tenant.pk, pk(users), period, member) for member in members]
        found.hours.append((tenant.pk, pk(users), hour, "POST /sessions", 1, len(members)))


def pk(code: str) -> int:
    return Metric.objects.get(code=code).pk


def meters(tenant: Tenant, at: datetime) -> dict[str, Meter]:
    return {one.metric.code: one for one in dashboard(tenant, at).meters}


def standing(tenant: Tenant) -> Standing:
    return Standing.objects.select_related("worst", "runs_out_of").get(tenant=tenant)


def expect(at: datetime) -> int:
    chores.begin_periods(at)
    return chores.expect_use(at)


class TestAgreement:
    @pytest.mark.parametrize(("at", "is_added_up"), [(MIDNIGHT, False), (NOW, True)])
    def test_is_within_one_percent_of_what_the_tenants_pages_say(
        self, make_tenant: MakeTenant, at: datetime, is_added_up: bool
    ) -> None:
        chance = random.Random(7)  # noqa: S311
        tenants = [make_tenant(f"t{n}") for n in range(16)]
        for one in tenants:
            live(one, chance, at)
        if is_added_up:
            roll_up_days(at)
        assert expect(at) == len(tenants)
        said = 0
        for one in tenants:
            more = coming([(one.pk, period_at(one, at))], at)
            for code, meter in meters(one, at).items():
                found = more.get((one.pk, meter.metric.pk))
                assert (found is None) == (meter.forecast is None), (one.slug, code)
                if meter.forecast and found is not None:
                    assert meter.used + found == pytest.approx(meter.forecast.used, rel=0.01, abs=1), code
                    said += bool(found)
        assert said > 20

    def test_has_the_same_worst_metric_state_and_day(self, make_tenant: MakeTenant) -> None:
        tenants = [make_tenant(f"t{n}") for n in range(12)]
        for n, one in enumerate(tenants):
            use_daily(one, "api_calls", 3 * n + 10, days=40)
            use_daily(one, "bandwidth", (n % 4) * 6 * 10**6, days=20)
        expect(NOW)
        days = set()
        for one in tenants:
            found, board = standing(one), dashboard(one, NOW)
            worst = board.meters[0]
            assert (found.worst, found.state, found.fill) == (worst.metric, worst.state, worst.percent)
            assert found.forecast == pytest.approx(worst.expected_percent, abs=1)
            outs = sorted(meter.runs_out.date() for meter in board.meters if meter.runs_out)
            assert found.runs_out == next(iter(outs), None)
            days.add(found.runs_out)
        assert len(days) > 3


class TestLearning:
    def test_happens_once_a_day(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 20, days=30)
        assert [expect(NOW), expect(NOW + timedelta(hours=5)), expect(NOW + DAY)] == [1, 0, 1]

    def test_is_a_chore_of_the_command(self, tenant: Tenant) -> None:
        chores.begin_periods(NOW)
        call_command("chore", "expect_use")
        assert Standing.objects.get().expected_on == datetime.now(UTC).date()

    def test_is_left_to_whoever_is_at_it(self, tenant: Tenant) -> None:
        chores.begin_periods(NOW)
        other = connection.copy()
        with closing(other), other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtext('usage expectations'))")
            assert chores.expect_use(NOW) == 0
            cursor.execute("SELECT pg_advisory_unlock(hashtext('usage expectations'))")
            assert chores.expect_use(NOW) == 1

    def test_takes_as_many_queries_for_many_as_for_one(self, make_tenant: MakeTenant) -> None:
        counts = []
        for n in (1, 2, 6):
            for one in [make_tenant(f"t{n}-{m}") for m in range(n)]:
                use_daily(one, "api_calls", 30, days=30)
            chores.begin_periods(NOW)
            with CaptureQueriesContext(connection) as queries:
                assert upkeep.expect_use(NOW) == n
            counts.append(len(queries))
        assert counts[1] == counts[2]  # the first reads the catalogue too

    def test_keeps_nothing_of_what_began_today(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 20, days=30)
        expect(NOW - DAY)
        Expectation.objects.update(made_on=NOW.date() - DAY)
        use(tenant, "bandwidth", 5)
        expect(NOW)
        metrics = set(Expectation.objects.values_list("metric__code", flat=True))
        assert metrics == {"api_calls", "storage", "users"}
        assert set(Expectation.objects.values_list("made_on", flat=True)) == {NOW.date()}


class TestStanding:
    def test_risk_is_the_larger_of_use_and_forecast(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 40, days=40)  # 22 days of November: 880 of 1 000
        expect(NOW)
        found = standing(tenant)
        assert (found.fill, found.forecast, found.risk) == (88, 117, 117)
        assert (found.state, found.runs_out_of and found.runs_out_of.code) == ("near", "api_calls")
        assert found.runs_out == NOW.date() + 3 * DAY

    def test_forecast_moves_with_every_flush_and_no_history_is_read(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 24, days=40)
        expect(NOW)
        assert standing(tenant).forecast == 70
        use(tenant, "api_calls", 400)
        with CaptureQueriesContext(connection) as queries:
            restand({tenant.pk: None}, NOW)
        assert standing(tenant).forecast == 110
        assert not any(word in query["sql"] for query in queries for word in ("usageday", "usagehour"))

    def test_asks_one_query_more_and_a_second_where_something_runs_out(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 24, days=40)
        expect(NOW)
        for units, asked in ((0, 1), (400, 2)):
            use(tenant, "api_calls", units)
            with CaptureQueriesContext(connection) as queries:
                restand({tenant.pk: None}, NOW)
            assert sum("usage_expectation" in query["sql"] for query in queries) == asked

    def test_takes_the_days_that_were_seen_coming_where_nobody_learnt_since(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 24, days=40)
        expect(NOW - 2 * DAY)
        restand({tenant.pk: None}, NOW)
        assert standing(tenant).forecast == 70

    @pytest.mark.parametrize(("hours", "is_said"), [(23, False), (35, False), (37, True)])
    def test_is_silent_early_in_a_period_as_pages_are(
        self, tenant: Tenant, hours: int, is_said: bool
    ) -> None:
        at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hours)
        use_daily(tenant, "api_calls", 40, days=40, at=at)
        expect(at)
        assert (standing(tenant).forecast is not None) == is_said
        assert (meters(tenant, at)["api_calls"].forecast is not None) == is_said

    def test_says_nothing_of_a_period_that_was_not_learnt(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 40, days=40)
        expect(NOW)
        later = datetime(2026, 12, 9, tzinfo=UTC)
        restand({tenant.pk: None}, later)
        assert (standing(tenant).forecast, standing(tenant).runs_out) == (None, None)

    def test_what_is_reached_does_not_run_out(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 60, days=40)
        expect(NOW)
        found = standing(tenant)
        assert (found.state, found.runs_out, found.forecast) == ("full", None, 176)

    def test_another_metric_that_runs_out_is_named(self, tenant: Tenant) -> None:
        use_daily(tenant, "api_calls", 60, days=40)
        use_daily(tenant, "bandwidth", 20 * 10**6, days=40)
        expect(NOW)
        found = standing(tenant)
        assert (found.worst and found.worst.code, found.runs_out_of and found.runs_out_of.code) == (
            "api_calls",
            "bandwidth",
        )

    def test_no_limit_and_a_limit_of_nothing_run_out_of_nothing(self, tenant: Tenant) -> None:
        for code, units in (("api_calls", None), ("bandwidth", 0)):
            Override.objects.create(
                tenant=tenant,
                metric=Metric.objects.get(code=code),
                mode="set",
                units=units,
                reason="x",
                starts=NOW - 50 * DAY,
            )
            use_daily(tenant, code, 60, days=40)
        expect(NOW)
        assert (standing(tenant).runs_out, standing(tenant).risk) == (None, 0)
