"""The sample product's API as its clients see it: what is counted, refused, stored, and what is wrong with input."""

from __future__ import annotations

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from billing.models import Metric, Override
from demo.models import DemoFile
from tenants.keys import create_key
from tenants.models import Tenant, User
from tenants.requests import CHOSEN
from tests.conftest import MakeTenant
from usage.metering import peek

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MB = 10**6


class Program:
    """A client with a tenant's key."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.secret = create_key(tenant, name="test", at=timezone.now()).secret

    def send(self, method: str, path: str, data: Any = b"", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}", **more.pop("headers", {})}
        content_type = more.pop("content_type", "application/octet-stream")
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        return client.generic(method, f"/demo/api/{path}", data, content_type, headers=headers, **more)

    def get(self, path: str) -> Any:
        return self.send("GET", path)

    def put(self, name: str, data: bytes, **more: Any) -> Any:
        return self.send("PUT", f"files/{name}", data, **more)

    def sign_in(self, body: Any, content_type: str = "application/json") -> Any:
        body = json.dumps(body) if isinstance(body, dict) else body
        return self.send("POST", "sessions", body, content_type=content_type)

    def used(self, code: str) -> int:
        gauges = peek(self.tenant, timezone.now()) or ()
        return next((gauge.used for gauge in gauges if gauge.metric.code == code), 0)


@pytest.fixture
def program(tenant: Tenant) -> Program:
    return Program(tenant)


def limit(tenant: Tenant, code: str, units: int) -> None:
    metric = Metric.objects.get(code=code)
    Override.objects.create(
        tenant=tenant, metric=metric, mode="set", units=units, reason="test", starts=timezone.now()
    )


class TestPing:
    def test_is_one_call_and_its_bytes(self, program: Program) -> None:
        response = program.get("ping")
        assert (response.status_code, response.json()) == (200, {"pong": True, "tenant": "northwind"})
        assert response["X-Usage-Remaining"] == "999"
        assert program.used("api_calls") == 1
        assert program.used("bandwidth") == len(response.content)

    def test_is_refused_past_the_limit(self, program: Program) -> None:
        limit(program.tenant, "api_calls", 1)
        assert [program.get("ping").status_code for _ in range(3)] == [200, 429, 429]

    def test_asks_for_a_key(self, tenant: Tenant, owner: User) -> None:
        assert Client().get("/demo/api/ping").status_code == 400
        assert Client().get("/demo/api/ping", headers={"X-Tenant-ID": tenant.slug}).status_code == 400
        client = Client()
        client.force_login(owner)
        session = client.session
        session[CHOSEN] = tenant.pk
        session.save()
        assert client.get("/demo/api/ping").status_code == 401

    def test_takes_no_other_method(self, program: Program) -> None:
        assert program.send("POST", "ping").status_code == 405


class TestFiles:
    def test_take_up_storage(self, program: Program) -> None:
        response = program.put("report.pdf", b"x" * 300)
        assert response.status_code == 201
        assert response.json() == {
            "name": "report.pdf",
            "size": 300,
            "sha256": hashlib.sha256(b"x" * 300).hexdigest(),
        }
        assert response["X-Usage-Remaining"] == str(100 * MB - 300)
        assert program.used("storage") == 300

    @pytest.mark.parametrize("size", [1_000, 100, 300, 0])
    def test_that_are_replaced_take_up_the_difference(self, program: Program, size: int) -> None:
        program.put("a", b"x" * 300)
        assert program.put("a", b"y" * size).status_code == 200
        assert program.used("storage") == size
        assert DemoFile.objects.get().size == size

    def test_that_are_deleted_free_storage(self, program: Program) -> None:
        program.put("a", b"x" * 300)
        program.put("empty", b"")
        assert program.send("DELETE", "files/a").status_code == 204
        assert program.send("DELETE", "files/empty").status_code == 204
        assert (program.used("storage"), DemoFile.objects.count()) == (0, 0)
        assert program.send("DELETE", "files/a").status_code == 404

    def test_that_do_not_fit_are_not_stored(self, program: Program) -> None:
        limit(program.tenant, "storage", 500)
        program.put("a", b"x" * 300)
        response = program.put("b", b"x" * 201)
        assert (response.status_code, response.json()["requested"]) == (429, 201)
        assert program.put("a", b"x" * 501).status_code == 429
        assert list(DemoFile.objects.values_list("name", "size")) == [("a", 300)]
        assert program.used("storage") == 300

    def test_can_be_deleted_when_storage_is_full(self, program: Program) -> None:
        limit(program.tenant, "storage", 300)
        program.put("a", b"x" * 300)
        assert program.send("DELETE", "files/a").status_code == 204
        assert program.used("storage") == 0

    def test_are_listed_by_name(self, program: Program, make_tenant: MakeTenant) -> None:
        Program(make_tenant("other")).put("c", b"zzz")
        program.put("b", b"xx")
        program.put("a", b"x")
        listed = program.get("files/").json()["files"]
        assert [(file["name"], file["size"]) for file in listed] == [("a", 1), ("b", 2)]

    def test_of_another_tenant_stay_theirs(self, program: Program, make_tenant: MakeTenant) -> None:
        other = Program(make_tenant("other"))
        other.put("a", b"xxx")
        assert program.send("DELETE", "files/a").status_code == 404
        assert other.used("storage") == 3

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_that_the_database_loses_are_not_counted(
        self, program: Program, method: str, broken: Any
    ) -> None:
        program.put("a", b"x" * 300)
        with broken:
            assert program.send(method, "files/a", b"y" * 500).status_code == 500
        assert program.used("storage") == 300
        assert DemoFile.objects.get().size == 300

    def test_of_a_suspended_tenant_stay_as_they_are(self, make_tenant: MakeTenant) -> None:
        suspended = Program(make_tenant("south", status=Tenant.Status.SUSPENDED))
        assert suspended.put("a", b"").status_code == 403

    @pytest.mark.parametrize(
        ("name", "data", "headers", "status"),
        [
            ("x" * 121, b"x", {}, 422),
            ("a%00b", b"x", {}, 422),
            ("a", b"x" * 10_000_001, {}, 413),
            ("a", b"", {"Content-Length": "10000001"}, 413),
            ("a", b"x", {"Content-Length": "five"}, 411),
            ("a", b"x", {"Transfer-Encoding": "chunked"}, 411),
        ],
    )
    def test_that_cannot_be_stored_are_not_counted(
        self, program: Program, name: str, data: bytes, headers: dict[str, str], status: int
    ) -> None:
        response = program.put(name, data, headers=headers)
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
        assert (DemoFile.objects.count(), program.used("storage")) == (0, 0)

    def test_that_arrive_cut_off_are_not_stored(self, program: Program) -> None:
        response = program.put("a", b"xyzzy", **{"wsgi.input": io.BytesIO(b"xyz")})
        assert (response.status_code, response.json()["title"]) == (400, "Incomplete body")
        assert (DemoFile.objects.count(), program.used("storage")) == (0, 0)


@pytest.fixture
def broken() -> AbstractContextManager[None]:
    """PostgreSQL takes every lock and then fails at writing."""

    def fail(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(("UPDATE", "DELETE")) and "demo_demofile" in sql:
            raise DatabaseError("disk full")
        return execute(sql, *rest)

    return connection.execute_wrapper(fail)


@pytest.mark.django_db(transaction=True)
class TestFilesAtOnce:
    def test_of_one_name_leave_storage_as_large_as_the_last(self, program: Program) -> None:
        sizes = [*range(100, 2_100, 100)]
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda size: in_thread(program, "same", size), sizes))
        assert sorted(statuses) == [200] * 19 + [201]
        assert program.used("storage") == DemoFile.objects.get().size

    def test_never_pass_the_limit_together(self, program: Program) -> None:
        limit(program.tenant, "storage", 1_000)
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda n: in_thread(program, f"file-{n}", 100), range(20)))
        assert sorted(statuses) == [201] * 10 + [429] * 10
        assert (program.used("storage"), DemoFile.objects.count()) == (1_000, 10)


def in_thread(program: Program, name: str, size: int) -> int:
    try:
        status: int = program.put(name, b"x" * size).status_code
        return status
    finally:
        connection.close()


class TestSessions:
    def test_count_each_user_once(self, program: Program) -> None:
        statuses = [program.sign_in({"user": user}).status_code for user in ("ann", "bob", "ann")]
        assert (statuses, program.used("users")) == ([201, 201, 201], 2)

    def test_refuse_one_more_user_than_the_plan_has(self, program: Program) -> None:
        statuses = [program.sign_in({"user": user}).status_code for user in ("a", "b", "c", "d", "a")]
        assert (statuses, program.used("users")) == ([201, 201, 201, 429, 201], 3)

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            ("user=ann", "application/x-www-form-urlencoded", 415),
            ("{", "application/json", 400),
            (b"\xff\xfe\xfd", "application/json", 400),
            ("[" * 9_000, "application/json", 400),
            ("[]", "application/json", 422),
            ("{}", "application/json", 422),
            ('{"user": ""}', "application/json", 422),
            ('{"user": 7}', "application/json", 422),
            ('{"user": "a\\u0000b"}', "application/json", 422),
            ('{"user": "\\ud800"}', "application/json", 422),
            ('{"user": "' + "é" * 101 + '"}', "application/json", 422),
            ('{"user": "' + "x" * 10_000 + '"}', "application/json", 413),
        ],
    )
    def test_refuse_what_they_cannot_read(
        self, program: Program, body: Any, content_type: str, status: int
    ) -> None:
        response = program.sign_in(body, content_type)
        assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
        assert response.json()["detail"]
        assert program.used("users") == 0
