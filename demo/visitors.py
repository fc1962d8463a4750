"""The customers' programs in the demo's traffic: what each asks for next, and when."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from demo.cast import CUSTOMERS, Customer

FILES = 40
KILOBYTES = range(2, 64)
# In percent; who is on the free plan only pings, so that its calls are the only thing that moves.
MIX = {"ping": 70, "list": 5, "put": 9, "delete": 4, "session": 12}
FREE_MIX = {"ping": 100}


class Request(NamedTuple):
    """One request as it is sent."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A customer's program, its key, and the files it knows of."""

    customer: Customer
    key: str
    chance: random.Random
    files: list[str] = field(default_factory=list)

    def pause(self) -> float:
        """Seconds until its next request."""
        return self.chance.uniform(0.6, 1.4) / self.customer.pace

    def request(self) -> Request:
        """What it asks for now."""
        mix = FREE_MIX if self.customer.plan == "free" else MIX
        kind = self.chance.choices(list(mix), list(mix.values()))[0]
        if kind == "delete" and self.files:
            return Request("DELETE", self.files.pop(self.chance.randrange(len(self.files))))
        if kind in ("put", "delete"):
            name = f"/demo/api/files/report-{self.chance.randrange(FILES):02}.csv"
            if name not in self.files:
                self.files.append(name)
            return Request("PUT", name, bytes(1000 * self.chance.choice(KILOBYTES)))
        if kind == "session":
            user = self.customer.user(self.chance.randrange(self.customer.regulars))
            return Request(
                "POST", "/demo/api/sessions", json.dumps({"user": user}).encode(), "application/json"
            )
        return Request("GET", "/demo/api/files/" if kind == "list" else "/demo/api/ping")


def visitors(handout: Mapping[str, Any]) -> list[Visitor]:
    """Those that send something, the busiest first; `handout` is the content of demo.json."""
    keys = {one["slug"]: one["api_key"] for one in handout["tenants"]}
    moving = [one for one in CUSTOMERS if one.pace and one.slug in keys]
    return [
        Visitor(one, keys[one.slug], random.Random())  # noqa: S311 nothing secret hangs on it
        for one in sorted(moving, key=lambda one: -one.pace)
    ]
