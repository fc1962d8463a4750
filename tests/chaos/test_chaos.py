"""Faults under load, on real processes: what callers were answered is what PostgreSQL has kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.report import PROPERTY, row
from tests.chaos.rounds import Fault, run
from tests.chaos.telling import untold
from tests.chaos.world import World, world

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("chaos"), rounds=len(FAULTS)) as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_counts_are_kept(fault: Fault, whole: World, record_property: Callable[[str, object], None]) -> None:
    found = run(whole, fault, Random(0))  # noqa: S311  # nothing to guess
    record_property(PROPERTY, list(row(fault.name, found)))
    assert not found.breaches


def test_every_alert_was_told(whole: World) -> None:
    assert not list(untold(whole))
