"""Sets Redis' clock for programs under chaos: a server's own can't be set, but what the scripts see of it."""

from __future__ import annotations

import os
from hashlib import sha1

from django.apps import AppConfig


class ClocksConfig(AppConfig):
    """Lets the scripts that read the time find it `CHAOS_REDIS_CLOCK` seconds ahead."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        ahead = int(os.environ.get("CHAOS_REDIS_CLOCK", "0"))
        if ahead:
            shift(ahead)


def shift(seconds: int) -> None:
    from usage.metering import scripts  # needs the models, which are ready only now

    for name in ("CONSUME", "OPEN"):
        script: scripts.Script = getattr(scripts, name)
        whole = f"string.format('%.0f', t[1] + {seconds})"
        moved = f"(function() local t = redis.call('TIME') return {{{whole}, t[2]}} end)()"
        text = script.text.replace("redis.call('TIME')", moved)
        assert text != script.text
        digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
        setattr(scripts, name, scripts.Script(script.name, text, digest))
