"""The notification queue: leases, retries, workers that die, and the bell."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from io import StringIO
from itertools import count
from pathlib import Path

import pytest
import redis
from celery import Celery, current_app
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TestCase
from django.utils import timezone
from pytest_django import Settings

from config.celery import app as celery_app
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import AT, at_once, own, reading
from tests.usage.mailserver import HOST, MailServer, free_port, until, worker_environment
from usage.alerts import outbox
from usage.alerts.channels import CHANNELS
from usage.alerts.channels.base import Retry
from usage.alerts.channels.email import Email
from usage.alerts.lanes import LANES
from usage.alerts.messages import Message
from usage.alerts.notes import Note
from usage.alerts.thresholds import judge
from usage.models import Delivery, Notice

OWNER = "olive@northwind.example"
LEASE = timedelta(seconds=150) + outbox.GRACE


@pytest.fixture
def delivery(make_tenant: MakeTenant) -> Delivery:
    """One mail to an owner, due at AT."""
    return deliveries(make_tenant("northwind"), OWNER)[0]


def deliveries(tenant: Tenant, *owners: str, at: datetime = AT) -> list[Delivery]:
    """Mails to owners, due at `at`, of a tenant that crossed 80 %."""
    own(tenant, *owners)
    judge([reading(tenant, 850, 1_000, at=at)], at)
    return list(Delivery.objects.filter(alert__tenant=tenant).order_by("target"))


def again(delivery: Delivery) -> Delivery:
    delivery.refresh_from_db()
    return delivery


@pytest.mark.django_db
class TestDeliver:
    def test_sends_what_is_due_and_marks_it(self, delivery: Delivery, mail_server: MailServer) -> None:
        assert outbox.deliver_due(AT) == 1
        assert mail_server.receivers == [OWNER]
        done = again(delivery)
        assert (done.status, done.attempts, done.error) == ("sent", 1, "")
        assert done.ended_at is not None
        assert done.ended_at >= AT

    def test_sends_nothing_twice(self, delivery: Delivery, mail_server: MailServer) -> None:
        outbox.deliver_due(AT)
        assert outbox.deliver_due(AT + timedelta(days=1)) == 0
        assert len(mail_server.mails) == 1

    def test_leaves_what_is_not_due(self, delivery: Delivery, mail_server: MailServer) -> None:
        assert outbox.deliver_due(AT - timedelta(seconds=1)) == 0
        assert again(delivery).attempts == 0

    def test_tries_no_more_than_asked(self, make_tenant: MakeTenant, mail_server: MailServer) -> None:
        deliveries(make_tenant(), *(f"owner-{number}@northwind.example" for number in range(5)))
        assert outbox.deliver_due(AT, limit=3) == 3
        assert Delivery.objects.due(AT).count() == 2

    def test_writes_the_notice_of_operations_once(self, tenant: Tenant, mail_server: MailServer) -> None:
        judge([reading(tenant, 1_000, 1_000)], AT)
        outbox.deliver_due(AT)
        Delivery.objects.update(status=Delivery.Status.WAITING, due_at=AT)
        outbox.deliver_due(AT)
        notice = Notice.objects.get()
        assert (notice.tenant, notice.kind, notice.at) == (tenant, "alert", AT)
        assert notice.text.startswith("Northwind has used all 1,000 API calls.")

    def test_leaves_channels_it_does_not_know(self, delivery: Delivery, mail_server: MailServer) -> None:
        Delivery.objects.update(channel="pigeon")
        assert outbox.deliver_due(AT) == 0
        assert again(delivery).status == "waiting"

    def test_command_says_how_many_got_through(self, tenant: Tenant, mail_server: MailServer) -> None:
        deliveries(tenant, OWNER, at=timezone.now())
        said = StringIO()
        call_command("deliver", stdout=said)
        assert said.getvalue() == "Delivered: 1.\n"


@pytest.mark.django_db
class TestRetry:
    def test_follows_the_schedule_and_then_gives_up(
        self, delivery: Delivery, mail_server: MailServer
    ) -> None:
        mail_server.answers[OWNER] = "451 4.7.1 greylisted, come back"
        at, waited = AT, []
        for _ in range(20):
            outbox.deliver_due(at, clock=lambda: 0.0)
            if again(delivery).status == "dead":
                break
            waited.append((delivery.due_at - at).total_seconds())
            assert outbox.deliver_due(delivery.due_at - timedelta(seconds=1), clock=lambda: 0.0) == 0
            at = delivery.due_at
        assert all(wish <= wait <= wish * 1.1 for wait, wish in zip(waited, outbox.SCHEDULE[1:], strict=True))
        assert (delivery.attempts, delivery.ended_at) == (10, at)
        assert delivery.error == "451 4.7.1 greylisted, come back"
        assert mail_server.mails == []

    def test_refused_receiver_is_given_up_at_once(
        self, make_tenant: MakeTenant, mail_server: MailServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        gone, kept = deliveries(make_tenant(), "gone@northwind.example", OWNER)
        mail_server.answers["gone@northwind.example"] = "550 5.1.1 no such user here"
        assert outbox.deliver_due(AT) == 1
        assert (again(gone).status, gone.attempts, gone.error) == ("dead", 1, "550 5.1.1 no such user here")
        assert again(kept).status == "sent"
        assert str(gone.pk) in caplog.text

    def test_refused_text_is_given_up_at_once(self, delivery: Delivery, mail_server: MailServer) -> None:
        mail_server.acknowledged = "554 5.7.1 looks like spam"
        outbox.deliver_due(AT)
        assert (again(delivery).status, delivery.error) == ("dead", "554 5.7.1 looks like spam")

    def test_error_fits_its_column(self, delivery: Delivery, mail_server: MailServer) -> None:
        mail_server.answers[OWNER] = "550 " + "so long " * 60
        outbox.deliver_due(AT)
        assert len(again(delivery).error) <= 300

    def test_server_that_comes_back_gets_everything(self, tenant: Tenant, settings: Settings) -> None:
        both = deliveries(tenant, OWNER, "omar@northwind.example")
        server = MailServer()
        server.use(settings)
        assert outbox.deliver_due(AT) == 0
        assert sorted(again(one).attempts for one in both) == [0, 1]  # nobody else was tried on a dead server
        assert {one.error.partition(":")[0] for one in both} == {"", "ConnectionRefusedError"}
        with server:
            assert outbox.deliver_due(AT + timedelta(seconds=6)) == 2
        assert sorted(server.receivers) == sorted(one.target for one in both)

    def test_dead_mail_server_holds_up_no_other_channel(self, tenant: Tenant, settings: Settings) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = HOST, free_port()
        settings.HEADROOM_OPS_EMAIL = ["a@ops.example"]
        judge([reading(tenant, 1_000, 1_000)], AT)
        assert outbox.deliver_due(AT) == 1
        assert Notice.objects.count() == 1

    def test_waits_as_long_as_the_receiver_asks(
        self, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(CHANNELS, "email", Busy)
        outbox.deliver_due(AT, clock=lambda: 0.0)
        assert again(delivery).due_at == AT + timedelta(hours=1)


class Busy(Email):
    """A channel whose receiver says when to come back."""

    def send(self, delivery: Delivery, message: Message | Note) -> None:
        raise Retry("429 slow down", after=timedelta(hours=1))


class Watched(Email):
    """Notes whether a transaction was open while it sent."""

    in_transaction: list[bool] = []

    def send(self, delivery: Delivery, message: Message | Note) -> None:
        self.in_transaction.append(connection.in_atomic_block)


@pytest.mark.django_db(transaction=True)
class TestLease:
    def test_sends_outside_of_transactions(self, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(CHANNELS, "email", Watched)
        outbox.deliver_due(AT)
        assert Watched.in_transaction == [False]

    def test_each_begins_when_it_is_taken(self, tenant: Tenant, mail_server: MailServer) -> None:
        deliveries(tenant, OWNER, "omar@northwind.example")
        seconds = count(0, 1_000)
        assert outbox.deliver_due(AT, clock=lambda: float(next(seconds))) == 2
        leased = sorted(Delivery.objects.values_list("due_at", flat=True))
        assert leased == [AT + timedelta(seconds=1_000) + LEASE, AT + timedelta(seconds=3_000) + LEASE]

    def test_workers_at_once_send_each_mail_once(self, tenant: Tenant, mail_server: MailServer) -> None:
        owners = [f"owner-{number}@northwind.example" for number in range(24)]
        deliveries(tenant, *owners)
        delivered: list[int] = []
        at_once(8, lambda: delivered.append(outbox.deliver_due(AT)))
        assert sum(delivered) == 24
        assert sorted(mail_server.receivers) == sorted(owners)

    def test_delivery_in_other_hands_holds_up_no_other(self, tenant: Tenant, mail_server: MailServer) -> None:
        first, second = deliveries(tenant, OWNER, "omar@northwind.example")
        delivered: list[int] = []
        with transaction.atomic():
            Delivery.objects.select_for_update().get(pk=first.pk)
            at_once(1, lambda: delivered.append(outbox.deliver_due(AT)))
            assert delivered == [1]
        assert mail_server.receivers == [second.target]

    def test_judges_and_workers_at_once_tell_once(self, tenant: Tenant, mail_server: MailServer) -> None:
        own(tenant, OWNER)
        one = reading(tenant, 850, 1_000)

        def run() -> None:
            judge([one], AT)
            outbox.deliver_due(AT)

        at_once(8, run)
        assert mail_server.receivers == [OWNER]

    def test_slow_mail_is_nobody_elses(self, delivery: Delivery, mail_server: MailServer) -> None:
        arrived, go_on = threading.Event(), threading.Event()

        async def hold() -> None:
            arrived.set()
            await until(go_on)

        mail_server.reading = hold

        def second() -> None:
            assert arrived.wait(10)
            try:
                assert outbox.deliver_due(AT + timedelta(seconds=149)) == 0
            finally:
                go_on.set()

        def first() -> None:
            outbox.deliver_due(AT)

        jobs = iter([first, second])
        at_once(2, lambda: next(jobs)())
        assert len(mail_server.mails) == 1
        assert again(delivery).status == "sent"

    def test_late_worker_changes_nothing_of_what_another_took(
        self, delivery: Delivery, mail_server: MailServer
    ) -> None:
        late = outbox._claim(AT, LANES["email"], {"email": Email()})
        assert late is not None
        taken = outbox._claim(AT + LEASE, LANES["email"], {"email": Email()})
        assert taken is not None
        outbox._postpone(late, AT + LEASE, Retry("too slow"))
        assert (again(delivery).attempts, delivery.due_at, delivery.error) == (2, taken.due_at, "")

    def test_delivery_that_ends_its_workers_is_given_up(
        self, delivery: Delivery, mail_server: MailServer
    ) -> None:
        Delivery.objects.update(attempts=len(outbox.SCHEDULE))
        outbox.deliver_due(AT)
        assert (again(delivery).status, delivery.error) == ("dead", "Every attempt ended without an answer.")
        assert mail_server.mails == []


@pytest.mark.django_db(transaction=True)
class TestDeath:
    def test_of_a_worker_before_the_mail_is_sent_leaves_it_to_another(
        self, tenant: Tenant, mail_server: MailServer
    ) -> None:
        """The server never answers HELO: the worker has its lease and no mail is out when it is killed."""
        now = timezone.now()
        (delivery,) = deliveries(tenant, OWNER, at=now)
        with DeafServer() as deaf:
            worker = deliver_in_process(deaf.port)
            assert deaf.called.wait(30)
            worker.kill()
            worker.wait(10)
        assert (again(delivery).status, delivery.attempts) == ("waiting", 1)
        assert outbox.deliver_due(now + timedelta(seconds=60)) == 0
        assert outbox.deliver_due(delivery.due_at) == 1
        assert mail_server.receivers == [OWNER]

    def test_of_a_worker_between_sending_and_marking_repeats_the_same_mail(
        self, tenant: Tenant, mail_server: MailServer
    ) -> None:
        (delivery,) = deliveries(tenant, OWNER, at=timezone.now())
        killed = threading.Event()
        workers: list[subprocess.Popen[bytes]] = []

        async def kill() -> None:
            if not killed.is_set():
                workers[0].kill()
                workers[0].wait(10)
                killed.set()

        mail_server.reading = kill
        workers.append(deliver_in_process(mail_server.port))
        assert killed.wait(30)
        assert again(delivery).status == "waiting"
        assert outbox.deliver_due(delivery.due_at) == 1
        first, second = mail_server.mails
        assert first["Message-ID"] == second["Message-ID"]
        assert again(delivery).status == "sent"


@pytest.mark.django_db
class TestBell:
    def test_rings_when_the_deliveries_are_committed(self, tenant: Tenant, redis_db: redis.Redis) -> None:
        with redis.Redis.from_url(django_settings.CELERY_BROKER_URL) as broker:
            with TestCase.captureOnCommitCallbacks() as callbacks:
                deliveries(tenant, OWNER)
            assert (len(callbacks), broker.llen("alerts")) == (1, 0)
            callbacks[0]()
            assert broker.llen("alerts") == 1
            assert b"usage.tasks.deliver" in broker.lindex("alerts", 0)

    def test_does_not_ring_for_nothing(self, tenant: Tenant) -> None:
        with TestCase.captureOnCommitCallbacks() as callbacks:
            judge([reading(tenant, 500, 1_000)], AT)
        assert callbacks == []

    def test_broker_that_is_away_is_a_line_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        away = Celery("away", broker=f"redis://{HOST}:{free_port()}/0", set_as_current=False)
        away.conf.broker_transport_options = django_settings.CELERY_BROKER_TRANSPORT_OPTIONS
        began = time.monotonic()
        away.set_current()
        try:
            outbox.ring(["email"])
        finally:
            celery_app.set_current()
        assert "The broker could not be told" in caplog.text
        assert time.monotonic() - began < 5

    def test_is_the_bell_of_this_system(self) -> None:
        assert current_app.main == "headroom"


class DeafServer:
    """Takes calls and says nothing."""

    def __init__(self) -> None:
        self.called = threading.Event()

    def __enter__(self) -> DeafServer:
        self._socket = socket.create_server((HOST, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        self._call, _ = self._socket.accept()
        self.called.set()

    def __exit__(self, *error: object) -> None:
        self._call.close()
        self._socket.close()


def deliver_in_process(port: int) -> subprocess.Popen[bytes]:
    """`manage.py deliver` on this test's database."""
    program = Path(django_settings.BASE_DIR) / "manage.py"
    return subprocess.Popen([sys.executable, program, "deliver"], env=worker_environment(port))
