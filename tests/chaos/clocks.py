"""Sets Redis' clock for programs under chaos: a server's own can't be set, but what the scripts see of it."""

from __future__ import annotations

import os
from hashlib import sha1

from django.apps import AppConfig

AHEAD = "chaos:clock"  # seconds that Redis' clock is ahead of what it was


class ClocksConfig(AppConfig):
    """Where `CHAOS_REDIS_CLOCK` is set, the scripts that read the time find it as far ahead as `AHEAD` says."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        if os.environ.get("CHAOS_REDIS_CLOCK"):
            _move()


def _move() -> None:
    from usage.metering import scripts  # needs the models, which are ready only now

    second = f"string.format('%.0f', t[1] + (redis.call('GET', '{AHEAD}') or 0))"
    for name in ("CONSUME", "OPEN"):
        script: scripts.Script = getattr(scripts, name)
        moved = f"(function() local t = redis.call('TIME') return {{{second}, t[2]}} end)()"
        text = script.text.replace("redis.call('TIME')", moved)
        digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
        setattr(scripts, name, scripts.Script(script.name, text, digest))
