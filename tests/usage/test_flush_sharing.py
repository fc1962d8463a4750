"""Several flushers at once: each keeps what no other is at, and what one leaves undone the next finds."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from tenants.models import Tenant
from tests.conftest import MakeTenant
from tests.usage.counting import Clock, flush, kept
from usage.metering import Charge, consume, keys, ledger, snapshots
from usage.metering import flush as flushing
from usage.metering.snapshots import Dirty

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.counting]


@contextmanager
def another_at(tags: Iterable[int]) -> Iterator[None]:
    """Inside, another flusher has taken these."""
    begun, ends = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            ledger.take(tags)
            begun.set()
            ends.wait(10)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert begun.wait(10)
        yield
    finally:
        ends.set()
        other.join()


def taken(tags: Iterable[int]) -> set[int]:
    with transaction.atomic():
        return ledger.take(tags)


@pytest.fixture
def tenants(make_tenant: MakeTenant, clock: Clock) -> list[Tenant]:
    """Three of different tags who used something, in the order a flush comes to them."""
    found: dict[int, Tenant] = {}
    for tenant in map(make_tenant, (f"tenant-{number}" for number in range(9))):
        found.setdefault(keys.tag_of(tenant.pk), tenant)
    chosen = [found[tag] for tag in sorted(found)[:3]]
    for tenant in chosen:
        consume(tenant, Charge("api_calls", 1), at=clock.now)
    return chosen


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The tenants of each batch that was collected, one tenant a batch."""
    found: list[list[int]] = []
    collect = snapshots.collect

    def noted(bulk: Any, batch: Dirty) -> Any:
        found.extend([list(batch)] if batch else [])
        return collect(bulk, batch)

    monkeypatch.setattr(flushing, "collect", noted)
    monkeypatch.setattr(flushing, "TENANTS", 1)
    return found


class TestTake:
    def test_leaves_what_another_has_taken(self) -> None:
        with another_at([1, 2]):
            assert taken([1, 2, 3]) == {3}

    def test_holds_until_the_transaction_ends(self) -> None:
        assert taken([1, 2]) == taken([1, 2]) == {1, 2}


@pytest.mark.usefixtures("lasting")
class TestSharing:
    def test_what_another_is_at_comes_last_and_is_kept_all_the_same(
        self, tenants: list[Tenant], clock: Clock, collected: list[list[int]]
    ) -> None:
        first, *others = tenants
        with another_at([keys.tag_of(first.pk)]):
            assert flush(clock.now) == 3
        assert collected == [[one.pk] for one in (*others, first)]
        assert {kept(tenant, "api_calls") for tenant in tenants} == {1}

    def test_what_another_kept_meanwhile_is_not_kept_again(
        self, tenants: list[Tenant], clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dirty, counts = snapshots.dirty, list[int]()

        def overtaken(*asked: Any) -> Dirty:
            found = dirty(*asked)
            if not counts:
                counts.append(0)  # the other flusher comes here, too
                counts.append(flush(clock.now))
            return found

        monkeypatch.setattr(flushing, "dirty", overtaken)
        assert flush(clock.now) == 0
        assert counts == [0, 3]
        assert {kept(tenant, "api_calls") for tenant in tenants} == {1}
