"""Compares the deliveries of a world's alerts with what its receiver of webhooks got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.servers import eventually
from tests.chaos.world import World

TOLD = 120.0  # seconds: what a killed worker held is sent when its lease has ended
WAITING = "SELECT count(*) FROM usage_delivery WHERE status = 'waiting'"
UNTOLD = """
SELECT count(*) FROM usage_alert a
WHERE is_sent AND NOT EXISTS (SELECT 1 FROM usage_delivery d WHERE d.alert_id = a.id)
"""
WEBHOOKS = "SELECT replace(id::text, '-', ''), status, attempts FROM usage_delivery WHERE channel = 'webhook'"


def untold(world: World) -> Iterator[str]:
    """Sentences about alerts that nobody was told of, or that somebody was told of more often than was tried."""
    with world.servers.sql() as books:
        eventually(lambda: books.execute(WAITING).fetchone() == (0,), "all is delivered", TOLD)
        if books.execute(UNTOLD).fetchone() != (0,):
            yield "an alert has no delivery"
        rows = books.execute(WEBHOOKS).fetchall()
    got = Counter(call.headers["webhook-id"].removeprefix("msg_") for call in list(world.hook.calls))
    for name, status, attempts in rows:
        times = got.pop(str(name), 0)
        if status != "sent" or not 1 <= times <= int(str(attempts)):
            yield f"delivery {name} is {status} after {attempts} attempts and came {times} times"
    if got:
        yield f"{len(got)} deliveries came that nobody knows of"
