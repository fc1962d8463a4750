"""What tests of all floors begin with: tenants, people, browsers signed in, an empty Redis."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from pytest_django import Settings
from pytest_django.plugin import blocking_manager_key

from billing.models import Plan
from billing.subscriptions import subscribe
from tenants.keys import create_key, forget_keys
from tenants.models import Membership, Tenant, User
from tenants.slugs import forget_tenants
from tests.chaos.report import pytest_terminal_summary
from tests.seeds import reseed

__all__ = ["pytest_terminal_summary"]  # the table of what was broken

PASSWORD = "correct horse battery"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
# Files that take long, by the beginning of their path: what begins last would keep one process while the others idle.
LONG = (
    "chaos/",
    "isolation/test_pages",
    "usage/test_counting_machine",
    "browser/test_accessibility",
    "isolation/",
    "browser/",
    "demo/",
)


class MakeTenant(Protocol):
    def __call__(self, slug: str = ..., plan: str | None = ..., **fields: Any) -> Tenant: ...


class MakeUser(Protocol):
    def __call__(
        self, email: str = ..., role: str | None = ..., tenant: Tenant | None = ..., **fields: Any
    ) -> User: ...


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    home = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(home).as_posix()
        return next((number for number, begin in enumerate(LONG) if path.startswith(begin)), len(LONG))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Function, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Tests with real transactions empty every table at their end; the seeded plans are for the next one."""
    yield
    if nextitem is None:  # the session has ended and its database is gone
        return
    marker = item.get_closest_marker("django_db")
    has_emptied = {"transactional_db", "live_server"} & set(item.fixturenames)
    if has_emptied or (marker and marker.kwargs.get("transaction")):
        with item.config.stash[blocking_manager_key].unblock():
            reseed()


@pytest.fixture(autouse=True)
def _fresh_memory() -> Iterator[None]:
    """What a process remembers of keys and tenants must not outlive the test whose rows they were."""
    yield
    forget_keys()
    forget_tenants()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Settings) -> None:
    """Hashing a password slowly is for attackers; here it would be most of the time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def redis_db() -> Iterator[redis.Redis]:
    """An empty Redis: this process's own database, and its broker's."""
    with redis.Redis.from_url(django_settings.CELERY_BROKER_URL) as broker:
        broker.flushdb()
    with redis.Redis.from_url(django_settings.HEADROOM_REDIS_URL) as connection:
        connection.flushdb()
        yield connection


@pytest.fixture
def make_tenant(db: None) -> MakeTenant:
    """Makes tenants; with the slug of a plan, on that plan for long."""

    def make(slug: str = "northwind", plan: str | None = None, **fields: Any) -> Tenant:
        fields = {"name": slug.replace("-", " ").title(), "created_at": LONG_AGO, **fields}
        tenant = Tenant.objects.create(slug=slug, **fields)
        if plan:
            subscribe(tenant, Plan.objects.get(slug=plan), at=LONG_AGO, actor=None, reason="test")
        return tenant

    return make


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Makes people, with a role in a tenant where one is given; everybody's password is PASSWORD."""

    def make(
        email: str = "olive@northwind.example",
        role: str | None = None,
        tenant: Tenant | None = None,
        **fields: Any,
    ) -> User:
        user = User.objects.create_user(email, PASSWORD, **fields)
        if tenant is not None:
            Membership.objects.create(tenant=tenant, user=user, role=role or Membership.Role.VIEWER)
        return user

    return make


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    """Northwind, on no plan of its own: the default plan's limits hold."""
    return make_tenant()


@pytest.fixture
def owner(make_user: MakeUser, tenant: Tenant) -> User:
    """Who owns Northwind."""
    return make_user("olive@northwind.example", Membership.Role.OWNER, tenant)


@pytest.fixture
def staff(make_user: MakeUser) -> User:
    """A member of the operations team who may do everything in the admin, and belongs to no tenant."""
    return make_user("sam@ops.example", is_staff=True, is_superuser=True)


@pytest.fixture
def client_for() -> Callable[[User], Client]:
    """A browser in which a person is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def make_key(make_tenant: MakeTenant) -> Callable[[], str]:
    """The secret of a new key of a new tenant."""
    number = count(1)

    def make() -> str:
        tenant = make_tenant(f"keyed-{next(number)}")
        return create_key(tenant, name="job", at=LONG_AGO).secret

    return make


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port where nobody answers: taken, so that nobody else gets it meanwhile, but not listening."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def postgres_away(transactional_db: None, unused_port: int) -> Callable[[], AbstractContextManager[None]]:
    """Inside the context PostgreSQL refuses connections, as far as this thread can tell."""

    @contextmanager
    def away() -> Iterator[None]:
        port = connection.settings_dict["PORT"]
        connection.close()
        connection.settings_dict["PORT"] = unused_port
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["PORT"] = port

    return away
