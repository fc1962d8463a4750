"""The quota middleware on real servers: what is charged, refused, recorded and given back, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import AsyncClient, Client
from django.utils import timezone

from billing.models import Allowance, Metric, Override
from billing.periods import period_at
from tenants.keys import create_key
from tenants.models import Tenant, User
from tenants.requests import CHOSEN
from tests.conftest import MakeTenant
from tests.usage import quota_urls
from usage.metering import InvalidAmount, UnknownMetric, links, peek
from usage.quotas.labels import fitted

pytestmark = [
    pytest.mark.urls("tests.usage.quota_urls"),
    pytest.mark.django_db,
    pytest.mark.usefixtures("redis_db"),
]

Get = Callable[..., Any]


def key_of(tenant: Tenant | None) -> str:
    return create_key(tenant, name="test", at=timezone.now()).secret


def bearer(tenant: Tenant | None, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(tenant)}", **more}


def limit(tenant: Tenant, **units: int | None) -> None:
    """Set what the tenant may use, before its first request."""
    for code, amount in units.items():
        metric = Metric.objects.get(code=code)
        Override.objects.create(
            tenant=tenant, metric=metric, mode="set", units=amount, reason="test", starts=timezone.now()
        )


def used(tenant: Tenant, code: str) -> int:
    gauges = peek(tenant, timezone.now())
    assert gauges is not None
    return next(gauge.used for gauge in gauges if gauge.metric.code == code)


def labels(redis_db: redis.Redis, metric: str) -> dict[str, int]:
    """Units by label of this hour, as Redis holds them."""
    found = {}
    for key in redis_db.keys("hr:*:hour:*"):
        for name, units in redis_db.hgetall(key).items():
            field = name.decode() if isinstance(name, bytes) else name
            if field.startswith(f"u:{metric}:"):
                found[field.removeprefix(f"u:{metric}:")] = int(units)
    return found


@contextmanager
def away(settings: Any) -> Iterator[None]:
    """Without Redis: nothing listens where the settings say it is."""
    address = settings.HEADROOM_REDIS_URL
    settings.HEADROOM_REDIS_URL = "redis://127.0.0.1:9/0"
    links.forget()
    try:
        yield
    finally:
        settings.HEADROOM_REDIS_URL = address
        links.forget()


@pytest.fixture(params=["wsgi", "asgi"])
def get(request: pytest.FixtureRequest, tenant: Tenant) -> Get:
    """GET (or `method`) with Northwind's key, through Django's WSGI and ASGI handlers."""
    headers = bearer(tenant)

    def ask(
        path: str, method: str = "get", headers: dict[str, str] = headers, raises: bool = True, **more: Any
    ) -> Any:
        if request.param == "wsgi":
            return getattr(Client(raise_request_exception=raises), method)(path, headers=headers)
        client = AsyncClient(raise_request_exception=raises)
        return async_to_sync(getattr(client, method))(path, headers=headers)

    return ask


class TestAdmission:
    def test_leaves_unmarked_views_alone(self, get: Get) -> None:
        response = get("/plain", headers={})
        assert (response.status_code, response.content) == (200, b"plain")
        assert not {"X-Usage-Remaining", "RateLimit", "RateLimit-Policy"} & set(response.headers)

    def test_asks_for_a_tenant(self, get: Get) -> None:
        response = get("/one", headers={})
        assert (response.status_code, response.json()["title"]) == (400, "Tenant required")

    def test_does_not_believe_a_header_alone(self, get: Get, tenant: Tenant) -> None:
        response = get("/one", headers={"X-Tenant-ID": tenant.slug})
        assert response.status_code == 400
        assert peek(tenant, timezone.now()) is None

    def test_lets_a_service_key_act_for_a_tenant(self, get: Get, tenant: Tenant) -> None:
        service = bearer(None)
        assert get("/one", headers={**service, "X-Tenant-ID": tenant.slug}).status_code == 200
        assert used(tenant, "api_calls") == 1
        response = get("/one", headers=service)
        assert (response.status_code, "X-Tenant-ID" in response.json()["detail"]) == (400, True)

    def test_refuses_a_key_that_opens_nothing(self, get: Get) -> None:
        response = get("/one", headers={"Authorization": "Bearer hr_000000000000_" + "x" * 43})
        assert response.status_code == 401

    @pytest.mark.parametrize("path", ["/one", "/inside"])
    def test_refuses_the_key_of_a_suspended_tenant(
        self, get: Get, make_tenant: MakeTenant, path: str
    ) -> None:
        suspended = make_tenant("southwind", status=Tenant.Status.SUSPENDED)
        response = get(path, headers=bearer(suspended))
        assert (response.status_code, response.json()["title"]) == (403, "Tenant suspended")
        assert peek(suspended, timezone.now()) is None

    def test_refuses_the_key_of_a_closed_tenant(self, get: Get, make_tenant: MakeTenant) -> None:
        closed = make_tenant("southwind", status=Tenant.Status.CLOSED)
        assert get("/one", headers=bearer(closed)).status_code == 401

    def test_charges_the_tenant_a_person_chose(
        self, tenant: Tenant, owner: User, client_for: Callable[[User], Client]
    ) -> None:
        client = client_for(owner)
        session = client.session
        session[CHOSEN] = tenant.pk
        session.save()
        assert client.get("/one").status_code == 200
        assert used(tenant, "api_calls") == 1

    def test_lets_no_cookie_spend_where_only_keys_may(
        self, get: Get, tenant: Tenant, owner: User, client_for: Callable[[User], Client]
    ) -> None:
        client = client_for(owner)
        session = client.session
        session[CHOSEN] = tenant.pk
        session.save()
        response = client.get("/keyed")
        assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
        assert peek(tenant, timezone.now()) is None
        assert get("/keyed", headers={}).status_code == 400
        assert get("/keyed").status_code == 200


class TestCharging:
    @pytest.mark.parametrize("path", ["/one", "/one-async", "/viewed", "/viewed-async"])
    def test_counts_and_counts_down(self, get: Get, tenant: Tenant, path: str) -> None:
        first, second = get(path), get(path)
        assert (first.status_code, first["X-Usage-Remaining"]) == (200, "999")
        assert (second.status_code, second["X-Usage-Remaining"]) == (200, "998")
        assert used(tenant, "api_calls") == 2

    def test_tells_policy_and_reset(self, get: Get, tenant: Tenant) -> None:
        response = get("/one")
        now = timezone.now()
        period = period_at(tenant, now)
        assert response["RateLimit-Policy"] == f'"api_calls";q=1000;w={period.seconds}'
        told = re.fullmatch(r'"api_calls";r=999;t=(\d+)', response["RateLimit"])
        assert told is not None
        assert abs(int(told[1]) - (period.ends - now).total_seconds()) < 5

    @pytest.mark.parametrize("path", ["/one", "/one-async", "/viewed", "/viewed-async"])
    def test_refuses_past_the_limit_and_does_not_run_the_view(
        self, get: Get, tenant: Tenant, path: str
    ) -> None:
        limit(tenant, api_calls=2)
        answers = [get(path) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        refused = answers[-1]
        assert refused["Content-Type"] == "application/problem+json"
        body = refused.json()
        assert (body["metric"], body["limit"], body["used"], body["requested"]) == ("api_calls", 2, 2, 1)
        assert body["instance"].endswith(refused["X-Request-Id"])
        assert refused["X-Usage-Remaining"] == "0"
        assert int(refused["Retry-After"]) == int(refused["RateLimit"].rpartition("t=")[2])
        assert used(tenant, "api_calls") == 2

    def test_shows_a_browser_the_page(self, get: Get, tenant: Tenant) -> None:
        limit(tenant, api_calls=0)
        response = get("/one", headers=bearer(tenant, Accept="text/html,*/*;q=0.8"))
        assert response.status_code == 429
        assert b"The Free plan doesn&#x27;t include API calls." in response.content
        assert b'<details class="more mt2">' in response.content

    @pytest.mark.parametrize("path", ["/several", "/stacked"])
    def test_charges_several_or_none(self, get: Get, tenant: Tenant, path: str) -> None:
        limit(tenant, storage=100)
        assert get(f"{path}?amount=60").status_code == 200
        response = get(f"{path}?amount=60")
        assert response.status_code == 429
        assert response.json()["violated-policies"] == ["storage"]
        assert (response.json()["requested"], response.json()["resets_at"]) == (60, None)
        assert "Retry-After" not in response
        assert response["RateLimit"] == '"storage";r=40'
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 60)

    def test_lists_several_topmost_first(self, get: Get) -> None:
        policies = get("/stacked?amount=60")["RateLimit-Policy"]
        assert re.fullmatch(r'"api_calls";q=1000;w=\d+, "storage";q=100000000', policies)

    def test_charges_nothing_for_an_amount_of_nothing(self, get: Get, tenant: Tenant) -> None:
        assert get("/several?amount=0").status_code == 200
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)

    def test_counts_a_member_once(self, get: Get, tenant: Tenant) -> None:
        limit(tenant, users=2)
        statuses = [get(f"/member?user={user}").status_code for user in ("ann", "bob", "ann", "cid", "bob")]
        assert statuses == [200, 200, 200, 429, 200]
        assert used(tenant, "users") == 2

    def test_refuses_by_the_minute(self, get: Get, tenant: Tenant) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="api_calls").update(burst=2)
        first, _, third = get("/one"), get("/one"), get("/one")
        assert '"api_calls.burst";q=2;w=60' in first["RateLimit-Policy"]
        assert third.status_code == 429
        assert third.json()["violated-policies"] == ["api_calls.burst"]
        assert third["RateLimit"] == f'"api_calls.burst";r=0;t={third["Retry-After"]}'
        assert 1 <= int(third["Retry-After"]) <= 30

    def test_says_when_a_charge_can_never_fit_its_burst(self, get: Get) -> None:
        Allowance.objects.filter(plan__slug="free", metric__code="api_calls").update(burst=2)
        response = get("/inside?then=3")
        assert (response.status_code, response.json()["title"]) == (422, "Too much at once")

    def test_a_fault_of_the_program_is_never_an_answer(self, get: Get) -> None:
        with pytest.raises(InvalidAmount):
            get("/inside?amount=0")

    def test_can_leave_the_draft_headers_away(self, get: Get, settings: Any) -> None:
        settings.HEADROOM_RATELIMIT_HEADERS = "none"
        response = get("/one")
        assert response["X-Usage-Remaining"] == "999"
        assert "RateLimit" not in response
        assert "RateLimit-Policy" not in response


class TestMarks:
    @pytest.mark.parametrize("path", ["/dispatched", "/listed"])
    def test_of_several_decorators_on_dispatch_all_hold(self, get: Get, tenant: Tenant, path: str) -> None:
        response = get(path)
        assert (response.status_code, response["X-Usage-Remaining"]) == (200, "999")
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 7)

    @pytest.mark.parametrize(
        ("method", "units"), [("get", 1), ("head", 1), ("post", 5), ("put", None), ("delete", None)]
    )
    def test_of_handlers_hold_for_their_method(
        self, get: Get, tenant: Tenant, method: str, units: int | None
    ) -> None:
        get("/handlers", method)
        assert (used(tenant, "api_calls") if peek(tenant, timezone.now()) else None) == units

    def test_stay_with_the_decorated_view(self, get: Get, tenant: Tenant) -> None:
        assert get("/plain-marked", headers={}).status_code == 400
        assert get("/plain", headers={}).status_code == 200


class TestGivingBack:
    @pytest.mark.parametrize("how", ["500", "503"])
    def test_returns_levels_but_no_sums_after_an_answer_of_5xx(
        self, get: Get, tenant: Tenant, how: str
    ) -> None:
        response = get(f"/failing?how={how}", raises=False)
        assert response.status_code == int(how)
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)
        assert '"storage";r=100000000' in response["RateLimit"]

    @pytest.mark.parametrize(("how", "status"), [("raises", 500), ("404", 404), ("403", 403)])
    def test_returns_levels_but_no_sums_after_an_error(
        self, get: Get, tenant: Tenant, how: str, status: int
    ) -> None:
        response = get(f"/failing?how={how}", raises=False)
        assert (response.status_code, response["X-Usage-Remaining"]) == (status, "999")
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)

    def test_returns_levels_of_async_views(self, get: Get, tenant: Tenant) -> None:
        assert get("/failing-async", raises=False).status_code == 500
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)

    def test_keeps_everything_after_an_answer_of_4xx(self, get: Get, tenant: Tenant) -> None:
        assert get("/failing?how=422").status_code == 422
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 1_000)

    def test_returns_what_the_view_charged_itself(self, get: Get, tenant: Tenant) -> None:
        assert get("/inside?amount=50&fail=1", raises=False).status_code == 500
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)

    def test_returns_a_first_charge_when_a_second_is_refused(self, get: Get, tenant: Tenant) -> None:
        response = get("/inside?amount=50&then=1000")
        assert response.status_code == 429
        assert response.json()["metric"] == "api_calls"
        assert response["RateLimit"].startswith('"api_calls";r=999;')
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)

    def test_takes_back_what_a_failed_view_had_freed(self, get: Get, tenant: Tenant) -> None:
        assert get("/inside?amount=50").status_code == 200
        assert get("/inside?amount=-20&fail=1", raises=False).status_code == 500
        assert used(tenant, "storage") == 50


class TestChargingInside:
    @pytest.mark.parametrize(("path", "left"), [("/inside", "99999999"), ("/inside-async", "999")])
    def test_counts_and_writes_the_headers(self, get: Get, tenant: Tenant, path: str, left: str) -> None:
        response = get(path)
        assert (response.status_code, response["X-Usage-Remaining"]) == (200, left)
        assert used(tenant, "api_calls") == 1

    @pytest.mark.parametrize("path", ["/inside", "/inside-async"])
    def test_refuses_as_the_decorator_does(self, get: Get, tenant: Tenant, path: str) -> None:
        limit(tenant, api_calls=0)
        response = get(path)
        assert (response.status_code, response.json()["violated-policies"]) == (429, ["api_calls"])

    def test_asks_for_a_tenant(self, get: Get) -> None:
        assert get("/inside", headers={}).status_code == 400

    def test_lets_the_view_decide_what_a_refusal_means(self, get: Get) -> None:
        response = get("/caught?amount=1001")
        assert (response.status_code, response.content) == (202, b"1000 left")

    def test_leaves_the_answer_of_a_plain_consume_alone(self, get: Get) -> None:
        response = get("/consuming")
        assert (response.content, "RateLimit" in response) == (b"999", False)


class TestBytes:
    def test_are_recorded_with_the_size_of_the_answer(self, get: Get, tenant: Tenant) -> None:
        response = get("/sized?amount=1234")
        assert used(tenant, "bandwidth") == 1234
        assert f'"bandwidth";r={500_000_000 - 1234};' in response["RateLimit"]
        assert response["X-Usage-Remaining"] == "999"

    def test_are_none_in_an_empty_answer(self, get: Get, tenant: Tenant) -> None:
        get("/sized?amount=0")
        get("/sized?amount=50", "head")
        assert (used(tenant, "bandwidth"), used(tenant, "api_calls")) == (0, 2)

    def test_of_a_refusal_are_not_counted(self, get: Get, tenant: Tenant) -> None:
        limit(tenant, storage=100)
        assert [get("/sized-inside?amount=60").status_code for _ in range(2)] == [200, 429]
        assert (used(tenant, "bandwidth"), used(tenant, "storage"), used(tenant, "api_calls")) == (60, 60, 2)

    def test_are_counted_while_they_stream(self, tenant: Tenant) -> None:
        response: Any = Client().get("/streamed", headers=bearer(tenant))
        assert b"".join(response.streaming_content) == b"x" * 1_000
        assert used(tenant, "bandwidth") == 1_000

    def test_that_nobody_fetched_are_not_counted(self, tenant: Tenant) -> None:
        response: Any = Client().get("/streamed", headers=bearer(tenant))
        stream = iter(response.streaming_content)
        assert (next(stream), next(stream)) == (b"x" * 100, b"x" * 100)
        response.close()
        assert used(tenant, "bandwidth") == 200

    def test_of_a_file_are_counted(self, tenant: Tenant) -> None:
        response: Any = Client().get("/file", headers=bearer(tenant))
        assert len(b"".join(response.streaming_content)) == 5_000
        assert used(tenant, "bandwidth") == 5_000

    def test_may_pass_the_limit_once_and_shut_the_gate(self, get: Get, tenant: Tenant) -> None:
        limit(tenant, bandwidth=100)
        assert get("/sized?amount=150").status_code == 200
        response = get("/sized?amount=150")
        assert (response.status_code, response.json()["metric"]) == (429, "bandwidth")
        assert response.json()["requested"] is None
        assert (used(tenant, "bandwidth"), used(tenant, "api_calls")) == (150, 1)
        assert get("/gated").status_code == 429


class TestPathRules:
    @pytest.fixture(autouse=True)
    def _rules(self, settings: Any) -> None:
        settings.HEADROOM_PATH_RULES = [
            {"path": "/v1/exports/", "metric": "api_calls", "amount": 10},
            {"path": "/v1/", "metric": "api_calls"},
            {"path": "/v1/exports/", "metric": "storage", "amount": 3},
        ]

    def test_charge_whole_paths(self, get: Get, tenant: Tenant) -> None:
        assert get("/v1/things")["X-Usage-Remaining"] == "999"
        assert get("/plain").status_code == 200
        assert used(tenant, "api_calls") == 1

    def test_of_one_metric_the_longest_counts(self, get: Get, tenant: Tenant) -> None:
        get("/v1/exports/all")
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (10, 3)

    def test_give_way_to_the_mark_of_a_view(self, get: Get, tenant: Tenant) -> None:
        get("/v1/one")
        assert used(tenant, "api_calls") == 1

    def test_ask_for_a_tenant(self, get: Get) -> None:
        assert get("/v1/things", headers={}).status_code == 400

    def test_name_a_metric_that_exists(self, get: Get, settings: Any) -> None:
        settings.HEADROOM_PATH_RULES = [{"path": "/v1/", "metric": "unicorns"}]
        with pytest.raises(UnknownMetric):
            get("/v1/things")

    @pytest.mark.parametrize(
        "rule",
        [
            {"path": "v1/", "metric": "api_calls"},
            {"path": "/v1/"},
            {"path": "/v1/", "metric": "api_calls", "amount": 0},
            {"path": "/v1/", "metric": "api_calls", "amount": 1.5},
            {"path": "/v1/", "metric": "api_calls", "amount": True},
            {"path": "/v1/", "metric": "api_calls", "burst": 5},
        ],
    )
    def test_are_checked_at_the_start(self, settings: Any, rule: dict[str, Any]) -> None:
        settings.HEADROOM_PATH_RULES = [rule]
        with pytest.raises(ImproperlyConfigured, match="HEADROOM_PATH_RULES"):
            Client().get("/plain")


class TestLabels:
    def test_are_method_and_route(self, get: Get, redis_db: redis.Redis) -> None:
        get("/one")
        get("/handlers", "post")
        assert labels(redis_db, "api_calls") == {"GET /one": 1, "POST /handlers": 5}

    def test_are_the_pattern_cut_between_characters(self, get: Get, redis_db: redis.Redis) -> None:
        get("/lo/1/2/3")
        get("/lo/4/5/6")
        # 47 bytes: the next character has two.
        assert labels(redis_db, "api_calls") == {"GET /lo/<str:größe>/<str:überlänge>/<str:gr": 2}

    def test_of_a_rule_are_cut_too(self, get: Get, redis_db: redis.Redis) -> None:
        get("/several?amount=5")
        assert labels(redis_db, "storage") == {"é" * 24: 5}

    @pytest.mark.parametrize(
        ("label", "short"),
        [
            ("x" * 100, "x" * 48),
            ("é" * 100, "é" * 24),
            ("x" + "é" * 100, "x" + "é" * 23),
            ("👍" * 13, "👍" * 12),
        ],
    )
    def test_fit_into_48_bytes(self, label: str, short: str) -> None:
        assert fitted(label) == short


@pytest.fixture
def short_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread's connection must not outlive it."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("short_connections")
class TestOutage:
    """Redis is away for a request, or for its second half; then it is back."""

    @pytest.fixture(autouse=True)
    def _hands_over(self) -> Iterator[None]:
        yield
        hand_over()

    def test_is_a_503_for_a_metric_that_refuses(self, get: Get, tenant: Tenant, settings: Any) -> None:
        Metric.objects.filter(code="api_calls").update(on_outage="refuse")
        with away(settings):
            response = get("/one")
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert response.json()["type"].endswith("#temporary-reduced-capacity")

    def test_lets_pass_what_is_counted_afterwards(self, get: Get, tenant: Tenant, settings: Any) -> None:
        with away(settings):
            response = get("/one")
        assert (response.status_code, "RateLimit" in response) == (200, False)
        hand_over()
        assert used(tenant, "api_calls") == 1

    def test_gives_back_what_was_not_even_counted(self, get: Get, tenant: Tenant, settings: Any) -> None:
        with away(settings):
            assert get("/failing?how=500").status_code == 500
        hand_over()
        assert (used(tenant, "api_calls"), used(tenant, "storage")) == (1, 0)

    def test_after_the_view_does_not_spoil_its_answer(
        self, get: Get, tenant: Tenant, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Metric.objects.filter(code="bandwidth").update(on_outage="refuse")
        with ExitStack() as stack:
            monkeypatch.setattr(quota_urls, "meanwhile", [lambda: stack.enter_context(away(settings))])
            response = get("/sized?amount=9")
        assert (response.status_code, response["X-Usage-Remaining"]) == (200, "999")
        hand_over()
        assert used(tenant, "bandwidth") == 9


def hand_over() -> None:
    """Wait until what was held during an outage is counted."""
    for thread in threading.enumerate():
        if thread.name == "attendant":
            thread.join(20)
            assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("short_connections")
class TestRealAsgi:
    """Django's own ASGI handler, each request in its own thread, as a server runs it."""

    def test_counts_a_stream(self, tenant: Tenant) -> None:
        sent = async_to_sync(talk)("/streamed-async", bearer(tenant))
        assert sent[0]["status"] == 200
        assert b"".join(part.get("body", b"") for part in sent[1:]) == b"x" * 1_000
        assert (used(tenant, "bandwidth"), used(tenant, "api_calls")) == (1_000, 1)

    def test_refuses(self, tenant: Tenant) -> None:
        limit(tenant, api_calls=1)
        headers = bearer(tenant)
        assert [async_to_sync(talk)("/one-async", headers)[0]["status"] for _ in range(3)] == [200, 429, 429]

    def test_gives_back_what_a_client_did_not_wait_for(self, tenant: Tenant) -> None:
        headers = bearer(tenant)

        async def leave() -> int:
            quota_urls.started = asyncio.Event()
            communicator = communicate("/hanging", headers)
            await communicator.send_input({"type": "http.request"})
            await asyncio.wait_for(quota_urls.started.wait(), 10)
            held = await sync_to_async(used)(tenant, "storage")
            await communicator.send_input({"type": "http.disconnect"})
            await communicator.wait(10)
            return held

        assert async_to_sync(leave)() == 1_000
        assert used(tenant, "storage") == 0


def communicate(path: str, headers: dict[str, str]) -> Any:
    """A conversation with the application; asgiref gives it no types."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
    }
    communicator: Any = ApplicationCommunicator
    return communicator(get_asgi_application(), scope)


async def talk(path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """All messages that a request is answered with."""
    communicator = communicate(path, headers)
    await communicator.send_input({"type": "http.request"})
    sent = [await communicator.receive_output(10)]
    while sent[-1]["type"] == "http.response.start" or sent[-1].get("more_body"):
        sent.append(await communicator.receive_output(10))
    await communicator.wait(10)
    return sent
