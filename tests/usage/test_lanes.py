"""Endpoints that are slow, dead or angry: what is tried when, and that nobody else waits for it."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from functools import partial
from itertools import count, pairwise

import pytest
from pytest_django import Settings

from config import celery, serve
from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.alerting import AT, at_once, own
from tests.usage.calling import SLACK, calls, cross, deliver, endpoint
from tests.usage.mailserver import HOST, MailServer, free_port
from tests.usage.receivers import Receiver, Reply
from usage.alerts import outbox, safe_http
from usage.alerts.channels import CHANNELS
from usage.alerts.lanes import LANES, RUNS
from usage.alerts.setup import remove, send_test
from usage.models import Delivery, Endpoint

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _private(settings: Settings) -> None:
    settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True


@pytest.mark.django_db
@pytest.mark.usefixtures("mail_server")
class TestSchedule:
    def test_of_an_endpoint_that_fails_twice_and_then_is_well(self, tenant: Tenant) -> None:
        with Receiver(Reply(500), Reply(503), Reply(204)) as receiver:
            made, _ = endpoint(tenant, receiver.url())
            cross(tenant)
            at, waited = AT, []
            for answer in (500, 503):
                deliver(at)
                (row,) = calls()
                assert (row.status, row.answer, row.error) == ("waiting", answer, f"{answer} Said")
                waited.append((row.due_at - at).total_seconds())
                assert deliver(row.due_at - SECOND) == 0
                at = row.due_at
            made.refresh_from_db()
            assert (made.state, made.reason, made.since) == ("failing", "503 Said", AT)
            deliver(at)
        assert all(wish <= wait <= wish * 1.1 for wait, wish in zip(waited, (5, 300), strict=True))
        (row,) = calls()
        made.refresh_from_db()
        assert (row.status, row.attempts, row.answer, row.error) == ("sent", 3, 204, "")
        assert (made.state, made.reason, made.since) == ("working", "", at)

    def test_ends_after_ten_attempts(self, tenant: Tenant) -> None:
        with Receiver(Reply(500)) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            at, tried = AT, []
            while calls()[0].status == "waiting":
                deliver(at)
                tried.append(at)
                at = calls()[0].due_at
            assert len(receiver.calls) == 10
        waits = [(after - before).total_seconds() for before, after in pairwise(tried)]
        assert all(wish <= w <= wish * 1.1 for w, wish in zip(waits, outbox.SCHEDULE[1:], strict=True))
        assert (calls()[0].status, calls()[0].error) == ("dead", "500 Said")

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 500])
    def test_holds_for_every_answer_that_is_no_success(self, tenant: Tenant, status: int) -> None:
        with Receiver() as elsewhere, Receiver(Reply(status, "", {"Location": elsewhere.url()})) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
            assert elsewhere.calls == []
        assert (calls()[0].status, calls()[0].answer) == ("waiting", status)

    @pytest.mark.parametrize(
        ("asked", "wait"), [("120", 120), ("Mon, 23 Nov 2026 06:12:00 GMT", 600), ("9" * 40, 86_400)]
    )
    def test_waits_as_long_as_the_receiver_asks(self, tenant: Tenant, asked: str, wait: int) -> None:
        with Receiver(Reply(503, "", {"Retry-After": asked})) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
        assert calls()[0].due_at == AT + timedelta(seconds=wait)

    @pytest.mark.parametrize("asked", ["soon", "-5", "0", "Mon, 23 Nov 1926 06:12:00 GMT"])
    def test_is_its_own_where_the_receiver_asks_for_nothing(self, tenant: Tenant, asked: str) -> None:
        with Receiver(Reply(503, "", {"Retry-After": asked})) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
        assert AT + 5 * SECOND <= calls()[0].due_at <= AT + 6 * SECOND

    def test_of_a_private_address_is_no_schedule(self, tenant: Tenant, settings: Settings) -> None:
        settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = False
        with Receiver() as receiver:
            made, _ = endpoint(tenant, f"https://localhost:{receiver.port}/")
            cross(tenant)
            deliver(AT)
            assert receiver.calls == []
        made.refresh_from_db()
        (row,) = calls()
        assert row.status == "dead"
        assert "private address" in row.error
        assert made.state == "failing"


@pytest.mark.django_db
@pytest.mark.usefixtures("mail_server")
class TestRest:
    def test_of_a_dead_endpoint_costs_one_try_for_its_whole_queue(self, tenant: Tenant) -> None:
        endpoint(tenant, f"http://{HOST}:{free_port()}/")
        for metric in ("api_calls", "users", "bandwidth", "storage"):
            cross(tenant, metric=metric)
        deliver(AT)
        assert sorted(row.attempts for row in calls()) == [0, 0, 0, 1]
        assert min(row.due_at for row in calls()) >= AT + 5 * SECOND
        cross(tenant, 900, AT)
        assert deliver(AT + SECOND) == 1  # who crossed hears by mail; the endpoint rests, for new ones too
        assert sum(row.attempts for row in calls()) == 1

    def test_ends_with_the_first_that_gets_through(self, tenant: Tenant) -> None:
        with Receiver(Reply(500), Reply()) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            cross(tenant, metric="users")
            deliver(AT)
            deliver(AT + 6 * SECOND)
            deliver(AT + 6 * SECOND)  # now among those that work
            assert len(receiver.calls) == 3

    def test_is_not_kept_by_a_test(self, tenant: Tenant) -> None:
        with Receiver(Reply(500), Reply()) as receiver:
            made, _ = endpoint(tenant, receiver.url())
            cross(tenant)
            deliver(AT)
            send_test(made, AT + SECOND)
            deliver(AT + SECOND)
            made.refresh_from_db()
            assert (made.state, len(receiver.calls)) == ("working", 2)

    def test_costs_others_nothing(self, make_tenant: MakeTenant) -> None:
        well, ill = make_tenant("well"), make_tenant("ill")
        with Receiver() as receiver:
            endpoint(ill, f"http://{HOST}:{free_port()}/")
            endpoint(well, receiver.url())
            cross(ill)
            cross(well)
            deliver(AT)
            assert len(receiver.calls) == 1


@pytest.mark.django_db
class TestRemoval:
    def test_gives_up_what_waits_and_keeps_the_log(self, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, f"http://{HOST}:{free_port()}/")
        cross(tenant)
        remove(made, AT)
        (row,) = calls()
        assert (row.status, row.error, row.target) == ("dead", "The channel was removed.", HOST)
        assert not Endpoint.objects.exists()

    def test_of_what_is_in_flight_is_survived(self, tenant: Tenant) -> None:
        with Receiver() as receiver:
            made, _ = endpoint(tenant, receiver.url())
            cross(tenant)
            lane = LANES["calls"]
            taken = outbox._claim(AT, lane, {name: make() for name, make in CHANNELS.items()})
            assert taken is not None
            remove(made, AT)
            outbox._end(taken, Delivery.Status.SENT, AT, answer=200)
        assert calls()[0].status == "sent"


@pytest.mark.django_db(transaction=True)
class TestSlowness:
    def test_of_one_endpoint_costs_no_other_anything(
        self, make_tenant: MakeTenant, mail_server: MailServer
    ) -> None:
        slow, quick = make_tenant("slow"), make_tenant("quick")
        own(quick, "quentin@quick.example")
        go_on, reached = threading.Event(), threading.Event()

        def hold() -> None:
            reached.set()
            go_on.wait(20)

        with Receiver(Reply(before=hold)) as holding, Receiver() as receiver:
            endpoint(slow, holding.url())
            endpoint(slow, holding.url("/second"), SLACK)
            endpoint(quick, receiver.url())
            cross(slow, 1_000)
            first = threading.Thread(target=lambda: at_once(1, lambda: outbox.work("calls", AT)))
            first.start()
            assert reached.wait(10)
            cross(slow, 1_000, metric="users")
            cross(quick, 1_000)
            begun = time.monotonic()
            at_once(1, lambda: outbox.deliver_due(AT, lanes=(LANES["email"], LANES["inbox"])))
            assert mail_server.receivers.count("quentin@quick.example") == 1
            others = threading.Thread(target=lambda: at_once(3, lambda: outbox.work("calls", AT)))
            others.start()  # one of them may meet the other slow endpoint
            while not receiver.calls and time.monotonic() - begun < 10:
                time.sleep(0.02)
            assert len(receiver.calls) == 1
            assert time.monotonic() - begun < 10
            go_on.set()
            first.join(20)
            others.join(20)
            at_once(1, lambda: outbox.work("calls", AT))
        assert {row.status for row in calls()} == {"sent"}

    def test_is_met_by_one_message_at_a_time(self, tenant: Tenant, mail_server: MailServer) -> None:
        with Receiver(Reply(before=lambda: time.sleep(0.1))) as receiver:
            endpoint(tenant, receiver.url())
            for metric in ("api_calls", "users", "bandwidth", "storage"):
                cross(tenant, 1_000, metric=metric)
            for _ in range(4):
                at_once(4, lambda: outbox.work("calls", AT))
            assert len(receiver.calls) == 4
            assert receiver.most_at_once == 1

    def test_that_lasts_is_cut_off(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(safe_http.post, "__kwdefaults__", {"deadline": 0.5, "look_up": None})
        with Receiver(Reply(200, "x" * 100, pace=0.05)) as receiver:
            endpoint(tenant, receiver.url())
            cross(tenant)
            begun = time.monotonic()
            outbox.deliver_due(AT, lanes=(LANES["calls"],))
            assert time.monotonic() - begun < 3
        (row,) = calls()
        assert row.status == "waiting"
        assert row.error.startswith("No answer within")
        assert row.took_ms
        assert row.took_ms >= 400

    def test_is_worked_off_beside_what_works(self, make_tenant: MakeTenant) -> None:
        """Who failed once waits in a lane of its own, however many they are."""
        for number in range(6):
            ill = make_tenant(f"ill-{number}")
            made, _ = endpoint(ill, f"http://{HOST}:{free_port()}/")
            Endpoint.objects.filter(pk=made.pk).update(state="failing")
            cross(ill)
        with Receiver() as receiver:
            endpoint(make_tenant("well"), receiver.url())
            assert outbox.work("calls", AT) == 0
            assert sum(row.attempts for row in calls()) == 0
            cross(make_tenant("also-well"))
        outbox.work("doubtful", AT)
        assert [row.attempts for row in calls()] == [1] * 6

    def test_is_remembered_until_it_is_over(self, tenant: Tenant) -> None:
        with Receiver() as receiver:
            made, _ = endpoint(tenant, receiver.url())
            for seconds, is_slow in ((3.0, True), (0.5, False)):
                cross(tenant, metric="users" if is_slow else "api_calls")
                both, ticks = (LANES["calls"], LANES["doubtful"]), count(0, seconds)
                outbox.deliver_due(AT + timedelta(days=1), lanes=both, clock=partial(next, ticks))
                made.refresh_from_db()
                assert made.is_slow is is_slow
        assert {row.status for row in calls()} == {"sent"}

    def test_takes_no_more_hands_than_its_lane_has(self, tenant: Tenant) -> None:
        lane = LANES["doubtful"]
        held = [lane.slots.acquire(blocking=False) for _ in range(lane.runs)]
        try:
            assert held == [True] * lane.runs
            assert outbox.work("doubtful", AT) == 0
            assert not lane.slots.acquire(blocking=False)
        finally:
            for _ in held:
                lane.slots.release()


class TestPrograms:
    def test_ring_for_every_lane_and_have_hands_for_all(self) -> None:
        assert tuple(LANES) == celery.LANES
        assert int(serve.SENDERS[serve.SENDERS.index("-c") + 1]) == RUNS
