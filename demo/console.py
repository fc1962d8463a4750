"""What the demo says at the terminal: a line per step, and how to get in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from demo.cast import CUSTOMERS, STAFF, STAFF_EMAIL
from demo.handout import Credentials
from demo.place import Place

SHOWN = ("northwind-labs", "kestrel-freight", "lumen-atlas", "juniper-and-sons")
TRIED = {
    "lumen-atlas": "its calls left count down in X-Usage-Remaining; the fourth crosses 80 % and is mailed",
    "juniper-and-sons": "all 1,000 calls used: 429 and why",
}


class Console:
    """Writes each line at once; a terminal that was closed ends nothing."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def say(self, text: str = "") -> None:
        self._write(f"{text}\n")

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[None]:
        """A line that says what is being done, then how long it took."""
        began = time.monotonic()
        self._write(f"  {name:<9} {doing:<58}")
        try:
            yield
        except BaseException:
            self._write("\n")
            raise
        self._write(f"{time.monotonic() - began:5.1f} s\n")

    def welcome(self, base_url: str, credentials: Credentials, place: Place, *, seconds: float) -> None:
        """The address, some logins, two requests to try, and where things lie."""
        self.say(f"\nHeadroom is up after {seconds:.1f} s: {base_url}/\n")
        self.say(f"  Sign in with the password {credentials.password} as")
        self.say(f"    {STAFF_EMAIL:<32} {STAFF.name}, operations: all tenants, plans, inbox")
        shown = [one for one in CUSTOMERS if one.slug in credentials.keys]
        for one in (one for one in shown if one.slug in SHOWN):
            self.say(f"    {one.email(one.owner):<32} {one.name} ({one.plan}): {one.note}")
        for one in (one for one in shown if one.slug in TRIED):
            self.say(f"\n  {one.name}, {TRIED[one.slug]}:")
            key = credentials.keys[one.slug]
            self.say(f'    curl -i -H "Authorization: Bearer {key}" {base_url}/demo/api/ping')
        self.say(f"\n  What Slack and webhooks received: {base_url}/demo/received/ (as {STAFF.name})")
        self.say()
        self.say(f"  Mail goes to {place.mail}, logs to {place.logs}; all keys are in {place.handout}.")
        self.say("\nCtrl-C stops it.")

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()
