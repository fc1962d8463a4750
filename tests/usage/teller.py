"""One process of `test_telling`: counts calls of a tenant, flushes and delivers, when it is told to begin."""

from __future__ import annotations

import sys

import django

PAUSE = 33  # calls between two flushes


def run(slug: str, calls: int) -> None:
    """Say that it is ready, wait for a line, then count calls and work off what they cause now and then."""
    from django.utils import timezone  # these need `django.setup()`

    from tenants.models import Tenant
    from usage.alerts import outbox
    from usage.metering import Charge, chores, consume

    tenant = Tenant.objects.get(slug=slug)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(calls):
        consume(tenant, Charge("api_calls"), at=timezone.now())
        if number % PAUSE == PAUSE - 1:
            chores.flush(timezone.now())
            outbox.deliver_due(timezone.now())


if __name__ == "__main__":
    django.setup()
    run(sys.argv[1], int(sys.argv[2]))
