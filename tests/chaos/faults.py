"""The faults: each is done in the middle of a load, mended, and says what the design lets it do."""

from __future__ import annotations

import time

from tests.chaos.ledger import Leave
from tests.chaos.rounds import Fault, Round


def web_worker(on: Round) -> Leave:
    """Both workers of the web server are killed, one after the other; it starts others."""
    for _ in range(2):
        on.world.fleet.kill_child("web", on.random.randrange(8))
        time.sleep(0.5)
    on.world.start("web")
    return Leave()


FAULTS = [Fault("web worker killed", web_worker)]
