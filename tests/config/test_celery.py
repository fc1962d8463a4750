"""Celery's application: what its workers do for speed."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from celery.signals import worker_process_init, worker_ready

from config.celery import collect_seldom


@pytest.fixture
def _collecting() -> Iterator[None]:
    """As often as before, when the test is over."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("_collecting")
class TestCollectSeldom:
    def test_looks_no_more_through_what_was_loaded_and_seldom_through_the_rest(self) -> None:
        collect_seldom()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == 50_000

    @pytest.mark.parametrize("signal", [worker_ready, worker_process_init])
    def test_is_done_by_workers_of_each_kind(self, signal: object) -> None:
        signal.send(sender=None)  # type: ignore[attr-defined]
        assert gc.get_threshold()[0] == 50_000
