"""Workers that are killed, a broker that forgets: every delivery arrives, and what arrives twice has one id."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings as django_settings
from django.utils import timezone
from pytest_django import Settings

from config.serve import background
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import own
from tests.usage.calling import calls, cross, endpoint
from tests.usage.mailserver import MailServer, worker_environment
from tests.usage.receivers import Receiver, Reply
from usage.alerts import outbox
from usage.alerts.channels import CHANNELS
from usage.alerts.lanes import LANES
from usage.models import Alert, Delivery

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _private(settings: Settings) -> None:
    settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True


class Fleet:
    """Programs on this test's database, which end with the test."""

    def __init__(self, port: int) -> None:
        self.environment = {**worker_environment(port), "HEADROOM_WEBHOOK_ALLOW_PRIVATE": "1"}
        self.programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *error: object) -> None:
        for program in self.programs:
            program.kill()
            program.wait(10)

    def start(self, command: list[str]) -> None:
        base = django_settings.BASE_DIR
        self.programs.append(subprocess.Popen(command, env=self.environment, cwd=base))

    def kill(self) -> None:
        self.programs[0].kill()
        self.programs[0].wait(10)


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


class TestKill:
    @pytest.mark.parametrize("is_taken", [False, True], ids=["before-it-is-sent", "before-it-is-marked"])
    def test_of_a_worker_repeats_at_most_what_was_sent(
        self, tenant: Tenant, mail_server: MailServer, *, is_taken: bool
    ) -> None:
        """The receiver kills its caller: before it has read the message, or before it answers."""
        now = timezone.now()
        own(tenant, "olive@northwind.example")
        with Receiver() as receiver, Fleet(mail_server.port) as fleet:
            endpoint(tenant, receiver.url())
            cross(tenant, 1_000, now)
            if is_taken:
                receiver.replies = [Reply(before=fleet.kill), Reply()]
                fleet.start([sys.executable, "manage.py", "deliver"])
                until(lambda: bool(receiver.calls) and fleet.programs[0].poll() is not None)
            else:
                lane = LANES["calls"]
                taken = outbox._claim(now, lane, {name: make() for name, make in CHANNELS.items()})
                assert taken is not None  # and this worker is never heard of again
            (row,) = calls()
            assert (row.status, row.attempts) == ("waiting", 1)
            outbox.deliver_due(now + timedelta(seconds=20))
            assert len(receiver.calls) == is_taken
            outbox.deliver_due(row.due_at)
            ids = [call.headers["webhook-id"] for call in receiver.calls]
        assert ids == [f"msg_{row.pk.hex}"] * (2 if is_taken else 1)
        assert {one.status for one in Delivery.objects.all()} == {"sent"}
        assert Alert.objects.filter(is_sent=True).count() == 1


class TestBroker:
    def test_that_forgot_everything_is_rung_by_the_next_beat(
        self, make_tenant: MakeTenant, mail_server: MailServer, redis_db: redis.Redis, tmp_path: Path
    ) -> None:
        """Celery was stopped while six tenants crossed, the broker lost its queue, and now two beats run."""
        now = timezone.now()
        with Receiver() as receiver, ExitStack() as stack:
            for number in range(6):
                one = make_tenant(f"tenant-{number}")
                own(one, f"owner-{number}@tenants.example")
                endpoint(one, receiver.url())
                cross(one, 1_000, now)
            with redis.Redis.from_url(django_settings.CELERY_BROKER_URL) as broker:
                assert broker.llen("alerts")
                broker.flushdb()
            assert receiver.calls == []
            fleet = stack.enter_context(Fleet(mail_server.port))
            fleet.start(background(tmp_path / "one")["courier"])
            fleet.start(background(tmp_path / "one")["beat"])
            fleet.start(background(tmp_path / "two")["beat"])
            until(lambda: not Delivery.objects.exclude(status="sent").exists())
            assert len({call.headers["webhook-id"] for call in receiver.calls}) == len(receiver.calls) == 6
            assert sorted(mail_server.receivers) == [f"owner-{number}@tenants.example" for number in range(6)]
