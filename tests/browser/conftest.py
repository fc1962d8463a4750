"""A real browser before real programs; without Chromium these tests skip, or fail where HEADROOM_BROWSER=required."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, StorageState, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from tenants.models import Tenant
from tests.browser.site import Site, are_alone, eventually, running
from tests.browser.window import PATIENCE, Windows
from tests.browser.world import make_world
from tests.seeds import reseed

HERE = Path(__file__).parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "There is no Chromium: `apt-get install chromium` brings the browser that these tests use."
FLAGS = ["--no-sandbox", "--disable-background-networking"]


def chromium_program() -> str | None:
    """Where Chromium is."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks, and not the fixture, skip: so they are one line of the summary a file, not one a test."""
    if chromium_program() or os.environ.get("HEADROOM_BROWSER") == "required":
        return
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="package")
def program() -> str:
    """Where Chromium is; where it is required, its absence is a failure."""
    return chromium_program() or pytest.fail(MISSING)


@pytest.fixture(scope="package")
def db(django_db_setup: None) -> None:
    """The test's database, but no transaction around each test: other programs read and write what is in it."""


@pytest.fixture(scope="package")
def site(
    program: str, db: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Headroom's web server and a few tenants; afterwards database and Redis are as they were."""
    _empty_redis()
    with django_db_blocker.unblock():
        if Tenant.objects.exists():  # a run before was interrupted, and its database is used again
            _empty_database()
        world = make_world(timezone.now())
        connection.close()
    with running(world, tmp_path_factory.mktemp("site")) as site:
        yield site
    with django_db_blocker.unblock():
        eventually(are_alone)
        _empty_database()
    _empty_redis()


@pytest.fixture(scope="package")
def background(site: Site) -> None:
    """All that works behind the web server."""
    site.start_background()


@pytest.fixture(scope="package")
def chromium(program: str, site: Site) -> Iterator[Browser]:
    """The browser; every test opens windows of its own in it."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def states() -> dict[str, StorageState]:
    """The cookies of who has signed in once."""
    return {}


@pytest.fixture
def windows(chromium: Browser, site: Site, states: dict[str, StorageState]) -> Iterator[Windows]:
    """Windows for one test; at its end nothing may have gone wrong in any of them."""
    opened = Windows(chromium, site, states)
    yield opened
    opened.close()
    assert not opened.wrong


def _empty_database() -> None:
    call_command("flush", interactive=False, verbosity=0)
    reseed()


def _empty_redis() -> None:
    for url in (settings.CELERY_BROKER_URL, settings.HEADROOM_REDIS_URL):
        with redis.Redis.from_url(url) as server:
            server.flushdb()
