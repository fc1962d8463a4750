"""Very many tenants on one plan, with accounts open in Redis: what bench/edits.py and bench/herd.py begin with."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection
from django.utils import timezone
from flush import CHUNK, people

from billing.models import Plan, Subscription
from billing.periods import period_at
from config.processes import Group
from config.serve import background
from tenants.models import Tenant
from usage.metering import Charge, consume, keys
from usage.metering.accounts import ensure_months
from usage.metering.flush import flush
from usage.metering.links import bulk
from usage.models import Heartbeat

STARTS = 60.0  # seconds a program may take until its first sign of life


def say(text: str) -> None:
    """What goes on, beside the results."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def forget_all() -> None:
    """No tenants, and nothing counted."""
    bulk().flushdb()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tenants_tenant CASCADE")


def crowd(count: int, plan: Plan, at: datetime) -> list[Tenant]:
    """So many tenants on `plan`, with standings, as last used in turn: the higher its id, the longer ago."""
    say(f"making {count:,} tenants")
    tenants = people(count)
    Subscription.objects.update(plan=plan)
    ensure_months(at)
    with connection.cursor() as cursor:
        cursor.execute(STANDINGS, [at, at, plan.pk, period_at(tenants[0], at).first, at + timedelta(days=9)])
        cursor.execute("VACUUM ANALYZE")
    return tenants


STANDINGS = """
INSERT INTO usage_standing
    (tenant_id, counted_at, last_used, plan_id, period, period_ends, fill, risk, state, overage, refused)
SELECT id, %s, %s - id * interval '1 second', %s, %s, %s, 5, 5, 'ok', 0, 0 FROM tenants_tenant
"""


def open_all(tenants: Sequence[Tenant]) -> None:
    """Give each tenant an open account: what the real scripts made for the first, copied key by key."""
    say(f"opening {len(tenants):,} accounts")
    server, first, at = bulk(), tenants[0], timezone.now()
    while not consume(first, Charge("api_calls", 10), Charge("bandwidth", 512), at=at).is_counted:
        time.sleep(0.5)  # let pass: the machine was too busy to answer in time
    flush(server, at)
    period = period_at(first, at).first
    dumps = [server.dump(name) or b"" for name in _names(first, period)]
    for start in range(0, len(tenants), CHUNK):
        pipe = server.pipeline(transaction=False)
        for one in tenants[start : start + CHUNK]:
            for name, dump in zip(_names(one, period), dumps, strict=True):
                pipe.restore(name, 0, dump, replace=True)
        pipe.execute()


def _names(tenant: Tenant, period: object) -> list[str]:
    return [keys.tenant(tenant.pk), keys.account(tenant.pk, period)]


@contextmanager
def running(*names: str, chore: str) -> Iterator[None]:
    """Programs as `make run` starts them, beat among them, from the first sign of life of `chore` on."""
    with tempfile.TemporaryDirectory(prefix="headroom-bench-") as folder, Group(Path(folder)) as group:
        Heartbeat.objects.filter(pk=chore).delete()
        commands = background(Path(folder) / "schedule")
        for name in (*names, "beat"):
            group.start(name, commands[name])
        deadline = time.monotonic() + STARTS
        while not Heartbeat.objects.filter(pk=chore).exists():
            if group.ended() or time.monotonic() > deadline:
                raise RuntimeError("\n".join(group.log_of(name).read_text() for name in (*names, "beat")))
            time.sleep(0.1)
        yield
