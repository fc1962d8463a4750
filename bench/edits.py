"""How soon an edit of a plan's limit, made in the admin, holds its tenants: `make bench BENCH=edits`.

SIZES=10000,100000 tenants on the plan, one size after the other, all with open accounts. The edit is posted as a
browser does, and confirmed; beat and the limiter run as `make run` starts them. A tenant is held to the new limit once
its account in Redis says so. Seconds are counted from the answer of the admin, whose own time stands beside them.
EDITS=2 times, a line each. Exits with 1 where the last tenant is held later than 2 seconds (up to 10,000) or 10.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
folder = tempfile.TemporaryDirectory(prefix="headroom-edits-")
os.environ["HEADROOM_STATIC_ROOT"] = folder.name
os.environ["HEADROOM_LOG_LEVEL"] = "WARNING"
os.environ["HEADROOM_REDIS_DEADLINE_MS"] = "5000"  # a busy machine is no outage
django.setup()

from crowd import crowd, forget_all, machine, open_all, running, say  # noqa: E402  # after Django, which reads the settings
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils import timezone  # noqa: E402

from billing.models import EntitlementChange, Plan  # noqa: E402
from billing.periods import period_at  # noqa: E402
from tenants.models import Tenant, User  # noqa: E402
from tests.forms import form_data  # noqa: E402
from usage.metering import keys  # noqa: E402
from usage.metering.links import bulk  # noqa: E402

SIZES = sorted(int(size) for size in os.environ.get("SIZES", "10000,100000").split(","))
EDITS = int(os.environ.get("EDITS", "2"))
FEW, WITHIN_FEW, WITHIN = 10_000, 2.0, 10.0  # tenants; seconds until the last is held
PLAN, FIELD = "free", "allowances-0-included"  # api_calls
CHUNK = 5_000
PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class Felt:
    """Seconds: of the admin's answer; from then until the first, the middle and the last are held, and all judged."""

    asked: float
    first: float
    middle: float
    last: float
    judged: float


class Watch:
    """Looks at open accounts: who is still held to another limit than `stop`."""

    def __init__(self, tenants: Sequence[Tenant], stop: int) -> None:
        period = period_at(tenants[0], timezone.now()).first
        self.names = [keys.account(one.pk, period) for one in tenants]
        self.stop = str(stop).encode()
        self.begun = time.monotonic()

    def until(self, place: int) -> float:
        """Seconds until the tenant at a place is held."""
        while bulk().hget(self.names[place], "s:api_calls") != self.stop:
            self._wait(f"tenant {place}")
        return time.monotonic() - self.begun

    def until_all(self) -> float:
        """Seconds until nobody is left."""
        rest = self.names
        while rest := [name for start in range(0, len(rest), CHUNK) for name in self._left(rest, start)]:
            self._wait(f"{len(rest):,} tenants")
        return time.monotonic() - self.begun

    def until_judged(self) -> float:
        """Seconds until thresholds were judged by it."""
        while EntitlementChange.objects.filter(judged_at=None).exists():
            self._wait("who is to be judged")
            time.sleep(0.2)
        return time.monotonic() - self.begun

    def _left(self, names: Sequence[str], start: int) -> list[str]:
        asked, pipe = names[start : start + CHUNK], bulk().pipeline(transaction=False)
        for name in asked:
            pipe.hget(name, "s:api_calls")
        return [name for name, stop in zip(asked, pipe.execute(), strict=True) if stop != self.stop]

    def _wait(self, what: str) -> None:
        if time.monotonic() - self.begun > PATIENCE:
            raise TimeoutError(f"{what} waited {PATIENCE:.0f} s in vain.")
        time.sleep(0.01)


def edited(browser: Client, tenants: Sequence[Tenant], stop: int) -> Felt:
    """Change the limit, and see when it is felt; the tenants come in the order in which they were used last."""
    page = reverse("admin:billing_plan_change", args=[Plan.objects.get(slug=PLAN).pk])
    sent = form_data(browser.get(page), "plan_form") | {FIELD: str(stop), "_confirmed": "Save"}
    begun = time.monotonic()
    answer = browser.post(page, sent)
    watch = Watch(tenants, stop)
    if answer.status_code != 302:
        raise RuntimeError(answer.content.decode())
    asked = watch.begun - begun
    first, middle = watch.until(0), watch.until(len(tenants) // 2)
    watch.until(-1)
    return Felt(asked, first, middle, watch.until_all(), watch.until_judged())


def measure(browser: Client, size: int) -> list[Felt]:
    forget_all()
    tenants = crowd(size, Plan.objects.get(slug=PLAN), timezone.now())
    open_all(tenants)
    found = []
    with running("limiter", chore="take_over_changes"):
        for turn in range(EDITS):
            found.append(edited(browser, tenants, 2_000 + turn))
            say(f"{size:,} tenants: {found[-1]}")
    return found


def goal(size: int) -> float:
    """Seconds until the last is to be held."""
    return WITHIN_FEW if size <= FEW else WITHIN


def main() -> int:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    browser = Client(headers={"host": "localhost"})
    browser.force_login(User.objects.create_superuser("staff@ops.example"))
    found = [(size, one) for size in SIZES for one in measure(browser, size)]
    print(f"{machine()}; seconds\n")
    heads = ("admin answers", "first is held", "half are", "last is", "to keep", "all judged")
    print(f"{'tenants':>9}" + "".join(f"{head:>15}" for head in heads))
    for size, one in found:
        print(f"{size:9,}{one.asked:15.2f}{one.first:15.2f}{one.middle:15.2f}{one.last:15.2f}", end="")
        print(f"{goal(size):15.0f}{one.judged:15.2f}  {'kept' if one.last <= goal(size) else 'NOT kept'}")
    return 0 if all(one.last <= goal(size) for size, one in found) else 1


if __name__ == "__main__":
    with folder:
        code = main()
    sys.exit(code)
