"""The health page: what is well, what needs a look, and the last hour of the gauges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.signals import after_task_publish
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.changes import limits_changed
from tenants.models import Tenant, User
from tests.usage.outages import redis_behind_proxy
from tests.usage.pages import HTMX, seen, swapped, text
from usage.metering import Charge, chores, consume
from usage.metering.charges import pack
from usage.metering.tally import BOUNDS, report, tally
from usage.models import Heartbeat
from usage.pulse import follow_beat, tell_of_beat
from usage.reports import pulse
from usage.reports.gauges import FEW, WARMING
from usage.reports.health import health
from usage.reports.processes import PROCESSES
from usage.reports.pulse import take_pulse
from usage.reports.vitals import vitals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

PATH = "/staff/health/"


@pytest.fixture
def browser(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def well() -> None:
    """Everybody has just shown a sign of life, and partitions are there."""
    chores.make_partitions(timezone.now())
    beat_all(timezone.now())


def beat_all(at: datetime, **detail: Any) -> None:
    Heartbeat.objects.exclude(pk="reconcile").delete()
    for name, _, _ in PROCESSES:
        given = {} if name == "beat" else {"count": 38, "ms": 61} | detail
        Heartbeat.objects.create(name=name, at=at, detail=given)


def reconciled(*said: str) -> None:
    at = timezone.now()
    run = {
        "at": at.isoformat(),
        "counts": 992,
        "moving": 0,
        "ms": 1900,
        "found": len(said),
        "said": list(said),
    }
    Heartbeat.objects.note("reconcile", at, {"runs": [run]})


class TestHealth:
    def test_says_in_a_sentence_that_all_is_well(self, well: None) -> None:
        reconciled()
        found = health(timezone.now())
        assert found.look.code == "ok"
        assert found.title.startswith("Counting is 0.")
        assert found.reason == (
            "Redis and PostgreSQL answer, all 5 processes report. "
            "The last reconcile compared 992 counts: no difference."
        )
        assert found.reporting == len(found.processes) == 5

    @pytest.mark.parametrize(("name", "title"), [(name, str(title)) for name, title, _ in PROCESSES])
    def test_names_who_is_silent(self, well: None, name: str, title: str) -> None:
        Heartbeat.objects.filter(pk=name).update(at=timezone.now() - timedelta(minutes=2))
        found = health(timezone.now())
        assert found.look.code == "full"
        assert f"{title}: silent." in found.reason
        Heartbeat.objects.filter(pk=name).delete()
        assert f"{title}: silent." in health(timezone.now()).reason

    def test_names_a_flush_that_is_late(self, well: None) -> None:
        Heartbeat.objects.filter(pk="flush").update(at=timezone.now() - timedelta(seconds=9))
        found = health(timezone.now())
        assert "Counting lag: 9." in found.reason
        assert found.gauges[0].look.code == "full"

    def test_names_a_limit_that_is_not_felt(self, well: None, tenant: Tenant) -> None:
        at = timezone.now()
        limits_changed(Tenant.objects.all(), reason="x", at=at - timedelta(seconds=7))
        assert "Limit change age: 7." in health(at).reason

    def test_goes_on_without_redis(self, well: None) -> None:
        with redis_behind_proxy() as proxy:
            proxy.be("refuse")
            found = health(timezone.now())
        assert "Redis needs a look." in found.reason
        assert dict(found.servers[0].facts)["Server"] == "does not answer"

    def test_shows_which_process_holds_what(self, well: None) -> None:
        detail = {"held": 1_204, "is_open": True}
        Heartbeat.objects.create(name="outage web1:77", at=timezone.now(), detail=detail)
        found = health(timezone.now())
        assert [(one.name, one.doing) for one in found.processes if one.look.code != "ok"] == [
            ("web1:77", "holds 1,204 uncounted")
        ]
        assert "open in 1 process" in dict(found.servers[0].facts).values()

    def test_shows_what_a_reconcile_raised(self, well: None) -> None:
        reconciled("Northwind, API calls: Redis raised by 14")
        run = health(timezone.now()).runs[0]
        assert (run.text, run.done) == ("1 count was behind", "Northwind, API calls: Redis raised by 14")

    def test_describes_both_servers(self, well: None) -> None:
        redis, postgres = (dict(one.facts) for one in health(timezone.now()).servers)
        assert redis["Server"].split()[0] in ("Valkey", "Redis")
        assert "primary" in redis["Server"]
        assert postgres["Migrations"] == "all applied"
        assert " of " in postgres["Connections"]

    def test_reads_the_same_always(
        self, well: None, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(30):
            Heartbeat.objects.create(
                name=f"outage x:{number}", at=timezone.now(), detail={"held": 1, "is_open": False}
            )
        health(timezone.now())
        with django_assert_max_num_queries(8):
            health(timezone.now())


class TestPulse:
    AT = datetime(2026, 11, 23, 14, 2, 0, tzinfo=UTC)

    def test_keeps_the_worst_of_each_minute_for_an_hour(self) -> None:
        for second in range(0, 90 * 60, 20):
            now = self.AT + timedelta(seconds=second)
            late = 30 if second == 80 * 60 + 20 else 1
            Heartbeat.objects.update_or_create(name="flush", defaults={"at": now - timedelta(seconds=late)})
            take_pulse(now)
        hour = pulse.last_hour(vitals(now))
        assert len(hour["lag"]) == 60
        assert hour["lag"][-10:] == [30.0] + [1.0] * 9
        assert len(Heartbeat.objects.get(pk="pulse").detail["minutes"]) == 60

    def test_leaves_gaps_where_nothing_was_taken(self) -> None:
        Heartbeat.objects.create(name="flush", at=self.AT)
        for minute in (0, 5):
            take_pulse(self.AT + timedelta(minutes=minute, seconds=3))
        lag = pulse.last_hour(vitals(self.AT + timedelta(minutes=5)))["lag"]
        assert [round(value) for value in lag[-6:]] == [3, 0, 0, 0, 0, 303]

    def test_weighs_the_checks_since_the_one_before(self) -> None:
        for seconds, expected in ((0.0004, BOUNDS[0]), (0.04, 0.05), (None, 0.0)):
            for _ in range(100):
                if seconds:
                    tally.note("allowed", [pack(Charge("api_calls"))], seconds)
            report()
            read = vitals(self.AT)
            assert pulse.values_of(read, pulse.buckets_before(read))["p99"] == expected
            take_pulse(self.AT)

    def test_is_taken_by_the_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("take_pulse")
        assert capsys.readouterr().out == "Minutes known: 1.\n"


class TestSigns:
    def test_are_left_by_the_chores(self, tenant: Tenant) -> None:
        consume(tenant, Charge("api_calls"), at=timezone.now())
        at = timezone.now()
        assert chores.flush(at) == 1
        beat = Heartbeat.objects.get(pk="flush")
        assert (beat.at, beat.detail["count"]) == (at, 1)

    def test_do_not_go_back(self) -> None:
        now = timezone.now()
        Heartbeat.objects.note("flush", now, {"count": 2})
        Heartbeat.objects.note("flush", now - timedelta(seconds=1), {"count": 1})
        assert Heartbeat.objects.get().detail == {"count": 2}


class TestPage:
    def test_shows_all_parts(self, browser: Client, well: None) -> None:
        html = text(browser.get(PATH))
        for part in ("verdict", "tiles", "gauges", "servers", "workers", "reconcile", "counted"):
            assert f'id="{part}"' in html
        assert "Counting lag" in html
        assert 'aria-current="page"' in html

    def test_is_polled_and_silent_while_nothing_changed(
        self, browser: Client, well: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = timezone.now()
        monkeypatch.setattr("usage.views.health.timezone.now", lambda: now)
        steady = health
        first = browser.get(PATH)
        same = first.context["report"]
        monkeypatch.setattr("usage.views.health.read_health", lambda at: same)
        assert browser.get(PATH, {"seen": seen(first)}, headers=HTMX).status_code == 204
        monkeypatch.setattr("usage.views.health.read_health", steady)
        Heartbeat.objects.filter(pk="beat").delete()
        told = browser.get(PATH, {"seen": seen(first)}, headers=HTMX)
        assert told.status_code == 200
        assert swapped(told) == {"verdict", "tiles", "gauges", "servers", "workers", "reconcile", "counted"}


class TestStart:
    """Right after the processes began nothing is wrong with what they have yet to say."""

    AT = datetime(2026, 11, 23, 14, tzinfo=UTC)

    def started(self, *, seconds_ago: int, spoken: datetime | None = None) -> None:
        Heartbeat.objects.create(name="started", at=self.AT - timedelta(seconds=seconds_ago))
        if spoken:
            for name, _, _ in PROCESSES:
                Heartbeat.objects.create(name=name, at=spoken, detail={"count": 1, "ms": 1})

    @pytest.mark.parametrize("days_ago", [None, 1])
    def test_is_calm(self, days_ago: int | None) -> None:
        chores.make_partitions(self.AT)
        self.started(seconds_ago=5, spoken=self.AT - timedelta(days=days_ago) if days_ago else None)
        found = health(self.AT)
        assert found.look.code == "ok", found.reason
        assert found.reason.endswith("started a moment ago and have yet to report.")
        assert {one.look.word for one in found.processes} == {"No figures yet"}
        assert found.gauges[0].look.word == "No figures yet"

    def test_is_over_when_a_process_should_have_spoken(self) -> None:
        self.started(seconds_ago=16)
        words = {one.name: one.look.word for one in health(self.AT).processes}
        assert words == {
            "Flusher": "Silent",
            "Limiter": "Silent",
            "Worker, alerts": "Silent",
            "Worker, chores": "No figures yet",  # it has a minute and a half
            "Beat": "Silent",
        }

    def test_hides_nobody_who_falls_silent_later(self) -> None:
        self.started(seconds_ago=600, spoken=self.AT - timedelta(seconds=100))
        assert {one.look.word for one in health(self.AT).processes} == {"Silent"}

    def test_is_kept_by_beat(self) -> None:
        follow_beat()
        after_task_publish.disconnect(tell_of_beat)
        assert Heartbeat.objects.filter(pk="started").exists()


class TestChecks:
    AT = datetime(2026, 11, 23, 14, tzinfo=UTC)

    def slow(self, checks: int) -> str:
        for _ in range(checks):
            tally.note("allowed", [pack(Charge("api_calls"))], 0.2)
        report()
        return next(one.look.word for one in health(self.AT).gauges if one.name == "Check, p99")

    def test_say_nothing_while_they_are_few(self) -> None:
        assert self.slow(FEW - 1) == "No figures yet"
        assert self.slow(1) == "Alarm"

    def test_say_nothing_while_tenants_are_opened(self) -> None:
        Heartbeat.objects.create(name="started", at=self.AT - timedelta(seconds=WARMING))
        assert self.slow(FEW) == "No figures yet"
        Heartbeat.objects.filter(pk="started").update(at=self.AT - timedelta(seconds=WARMING + 1))
        assert self.slow(0) == "Alarm"
