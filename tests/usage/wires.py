"""Connections that lose what they are told to lose, and acts of the model as they are sent over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from tests.usage.rules import Act
from usage.metering import Charge, links
from usage.metering.charges import Packed, pack, pack_level, pack_looks


def packed(act: Act) -> Packed:
    if act.op == "m":
        return pack_level(act.metric, act.amount)
    if act.op in "gp":
        return pack_looks(act.op, [act.metric])[0]
    return pack(Charge(act.metric, act.amount, label=f"label {act.amount % 3}", member=act.member or None))


class Wire(links.Link):
    """A connection that speaks to a life of Redis the test names, and loses what it is told to lose."""

    def __init__(self, connection: Any, life_of: Callable[[], int]) -> None:
        super().__init__(connection)
        self.life_of = life_of
        self.losses: list[str] = []
        self.sent = b""

    def life(self, *, fresh: bool = False) -> bytes:
        return b"life %d" % self.life_of()

    def exchange(self, packed: bytes) -> Any:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "request":
            raise redis.TimeoutError("The request was lost.")
        self.sent = packed
        reply = super().exchange(packed)
        if loss == "reply":
            raise redis.TimeoutError("The reply was lost.")
        return reply
