"""One world for all tests of a module: nothing that is asked of it stays."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from tests.isolation.actors import World, undone
from usage.metering import links


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Two tenants and all actors, in a transaction that is never committed."""
    with django_db_blocker.unblock(), undone():
        yield World(timezone.now())


@pytest.fixture(autouse=True)
def _open_doors(settings: Settings) -> None:
    """What a setting may open is open, so that only roles keep people out."""
    settings.HEADROOM_SELF_SERVICE_PLANS = True


@pytest.fixture(autouse=True)
def _patient(settings: Settings) -> Iterator[None]:
    """Counts that are late on a busy machine are no fault here."""
    settings.HEADROOM_REDIS_DEADLINE = 5.0
    links.forget()
    yield
    links.forget()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Refusals are what is asked for here: thousands of them, each with a warning in the log."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)
