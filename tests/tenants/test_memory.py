"""What a process remembers of PostgreSQL: fresh, bounded, and longer while PostgreSQL is away."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import InterfaceError, OperationalError

from tenants.memory import Memory

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(**time: float) -> datetime:
    return NOW + timedelta(**time)


class Store:
    """What is read from; may be away. Counts the reads that reached it."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {"a": "1"}
        self.failure: Exception | None = None
        self.reads = 0

    def read(self, key: str) -> str | None:
        self.reads += 1
        if self.failure:
            raise self.failure
        return self.rows.get(key)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def memory(store: Store) -> Memory[str, str]:
    return Memory(store.read, size=3)


class TestMemory:
    def test_reads_anew_after_5_seconds(self, store: Store, memory: Memory[str, str]) -> None:
        memory.get("a", NOW)
        store.rows["a"] = "2"
        assert [memory.get("a", after(seconds=s)) for s in (0, 4.99, 5)] == ["1", "1", "2"]

    def test_reads_anew_when_the_clock_was_set_back(self, store: Store, memory: Memory[str, str]) -> None:
        memory.get("a", NOW)
        store.rows["a"] = "2"
        assert memory.get("a", after(hours=-1)) == "2"

    def test_forgets_what_is_gone(self, store: Store, memory: Memory[str, str]) -> None:
        memory.get("a", NOW)
        del store.rows["a"]
        assert memory.get("a", after(seconds=5)) is None
        assert len(memory) == 0

    def test_keeps_nothing_of_what_was_not_found(self, memory: Memory[str, str]) -> None:
        assert [memory.get(str(n), NOW) for n in range(100)] == [None] * 100
        assert len(memory) == 0

    def test_drops_the_longest_unused_when_full(self, store: Store, memory: Memory[str, str]) -> None:
        store.rows = {key: key for key in "abcd"}
        for key in "abcad":
            memory.get(key, NOW)
        assert len(memory) == 3
        store.reads = 0
        for key in "acd":
            memory.get(key, NOW)
        assert store.reads == 0

    @pytest.mark.parametrize("failure", [OperationalError("gone"), InterfaceError("closed")])
    def test_answers_for_ten_minutes_while_the_store_is_away(
        self, store: Store, memory: Memory[str, str], failure: Exception
    ) -> None:
        memory.get("a", NOW)
        store.failure = failure
        assert memory.get("a", after(minutes=9, seconds=59)) == "1"
        with pytest.raises((OperationalError, InterfaceError)):
            memory.get("a", after(minutes=10))

    def test_asks_a_store_that_is_away_once_a_second(self, store: Store, memory: Memory[str, str]) -> None:
        memory.get("a", NOW)
        store.failure, store.reads = OperationalError("gone"), 0
        for tenth in range(60, 80):
            assert memory.get("a", after(seconds=tenth / 10)) == "1"
        assert store.reads == 2

    def test_a_key_never_seen_fails_at_once_in_that_second(
        self, store: Store, memory: Memory[str, str]
    ) -> None:
        store.failure = OperationalError("gone")
        with pytest.raises(OperationalError, match="gone"):
            memory.get("a", NOW)
        with pytest.raises(OperationalError, match="a moment ago"):
            memory.get("a", after(seconds=0.5))
        assert store.reads == 1

    def test_notices_that_the_store_is_back(self, store: Store, memory: Memory[str, str]) -> None:
        memory.get("a", NOW)
        store.failure = OperationalError("gone")
        memory.get("a", after(seconds=6))
        store.failure, store.rows["a"] = None, "2"
        assert memory.get("a", after(seconds=7)) == "2"

    def test_hides_no_other_error(self, store: Store, memory: Memory[str, str]) -> None:
        memory.get("a", NOW)
        store.failure = ValueError("a bug")
        with pytest.raises(ValueError, match="a bug"):
            memory.get("a", after(seconds=6))


class TestHanging:
    """PostgreSQL takes a question and does not answer."""

    def test_holds_few_readers_where_something_is_remembered(self) -> None:
        entered, release = threading.Semaphore(0), threading.Event()

        def read(key: str) -> str:
            if is_hanging:
                entered.release()
                release.wait(20)
            return key

        is_hanging = False
        found = Memory(read, size=10)
        for key in "abc":
            found.get(key, NOW)
        is_hanging = True
        later = after(minutes=1)
        readers = [threading.Thread(target=found.get, args=(key, later)) for key in "ab"]
        for reader in readers:
            reader.start()
            assert entered.acquire(timeout=20)
        assert found.get("c", later) == "c"
        assert not entered.acquire(blocking=False)
        release.set()
        for reader in readers:
            reader.join(20)
