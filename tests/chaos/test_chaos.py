"""Faults under load, on real processes: what callers were answered is what PostgreSQL has kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.report import Row
from tests.chaos.rounds import Fault, run
from tests.chaos.world import World, world

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("chaos"), rounds=len(FAULTS)) as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_answers_are_kept_through(
    fault: Fault, whole: World, record_property: Callable[[str, object], None]
) -> None:
    balance = run(whole, fault, Random(0))  # noqa: S311  # nothing to guess
    record_property("chaos", Row(fault.name, 1, balance.calls, balance.lost, balance.doubled, balance.over))
    assert not balance.breaches
