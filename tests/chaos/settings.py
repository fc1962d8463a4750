"""The settings of programs under chaos: ours, with clocks that may be off.

`CHAOS_CLOCK` is how many seconds this process' own clock is ahead; of Redis' clock `tests.chaos.clocks` knows.
"""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from config.settings import *  # noqa: F403  # all of them

AHEAD = float(os.environ.get("CHAOS_CLOCK", "0"))
INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.clocks.ClocksConfig"]  # noqa: F405

if AHEAD:
    _time = time.time
    _patch = pytest.MonkeyPatch()  # for as long as the process lives
    _patch.setattr(timezone, "now", lambda: datetime.now(UTC) + timedelta(seconds=AHEAD))
    _patch.setattr(time, "time", lambda: _time() + AHEAD)
