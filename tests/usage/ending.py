"""A process that uses something while Redis refuses, and then ends: `python -m tests.usage.ending HOW SLUG FD`.

HOW: `itself` ends like any program; `child` uses and ends in a child forked by multiprocessing, as a web worker is;
`fork` also tells what a child holds of what its parent held. Each says how many things it holds and whether it still
asks Redis; before it ends it waits for a byte from FD.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable

import django

django.setup()

from django.utils import timezone  # noqa: E402  # after Django, which reads the settings

from tenants.models import Tenant  # noqa: E402
from usage.metering import Charge, consume, outage  # noqa: E402

HOW, SLUG, FD = sys.argv[1:]
Fork = multiprocessing.get_context("fork").Process


def use() -> None:
    tenant = Tenant.objects.get(slug=SLUG)
    for _ in range(5):
        consume(tenant, Charge("api_calls"), at=timezone.now())
    tell()
    if HOW == "fork":
        run(tell)
    os.read(int(FD), 1)


def tell() -> None:
    sys.stdout.write(f"{len(outage.held)} {not outage.breaker.is_open}\n")
    sys.stdout.flush()


def run(what: Callable[[], None]) -> None:
    child = Fork(target=what)
    child.start()
    child.join()


if __name__ == "__main__":
    run(use) if HOW == "child" else use()
