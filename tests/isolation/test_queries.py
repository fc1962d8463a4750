"""Every page reads with few queries, whoever asks: sessions, frames and a tenant's cold account included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.isolation.actors import World, undone
from tests.isolation.addresses import Address, addresses
from tests.isolation.asked import path_of, queries_of
from tests.isolation.table import ROWS
from usage.metering import catalogue
from usage.reports import delays

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

MOST = 12
# Pages that put together what stands in many tables, and what it takes to look at a tenant that is not one's own: it
# is found by itself, and the look is written down.
MORE = {
    "plan": 2,
    "alerts": 4,
    "why": 3,
    "history": 2,
    "history_csv": 2,
    "history_json": 2,
    "staff_tenant": 1,
}
FOREIGN = 2
BOUNDS = ("SAVEPOINT", "RELEASE")  # of the test's own transaction
PAGES = [one for one in addresses() if not one.is_admins and (one.name, "GET") in ROWS]


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a process asks every few seconds, whatever it shows, is no page's query."""
    monkeypatch.setattr(delays, "REMEMBERED", 3600.0)
    monkeypatch.setattr(catalogue, "SECONDS", 3600.0)
    for memory in (delays, catalogue):
        memory.forget()
    yield
    for memory in (delays, catalogue):
        memory.forget()


def queries(world: World, actor: str, path: str, *, htmx: bool) -> list[str]:
    """What a page that was opened before asks PostgreSQL; nothing of one that is not open to the actor."""
    with undone():
        if world.ask(actor, "GET", path, htmx=htmx).status_code >= 300:
            return []
        with CaptureQueriesContext(connection) as captured:
            world.ask(actor, "GET", path, htmx=htmx)
    return [one["sql"] for one in captured if not one["sql"].startswith(BOUNDS)]


@pytest.mark.parametrize("actor", ["owner", "viewer", "staff"])
@pytest.mark.parametrize("address", PAGES, ids=str)
def test_a_page_takes_few_queries(world: World, address: Address, actor: str) -> None:
    path, most = path_of(address, world.ours), MOST + MORE.get(address.name.removeprefix("usage:"), 0)
    if actor == "staff" and "<slug:slug>" in address.route:
        most += FOREIGN
    for query in queries_of(address, world.ours):
        for htmx in (False, True):
            asked = f"{path}?{query}" if query else path
            found = queries(world, actor, asked, htmx=htmx)
            assert len(found) <= most, "\n".join([f"{asked}: {len(found)} queries", *found])
