"""What grows with the number of tenants, and what does not: `make bench BENCH=growth`; about a quarter of an hour.

SIZES=1000,10000,100000 tenants of bench/pages.py's world, one growing out of the other. Of each size: pages on the
server (SAMPLES=24 tenants' people ask), the closing of 1,000 periods while all are due, a flush of every account, and
what a tenant takes in Redis and PostgreSQL. One table at the end, with what issue each must keep and how it grew.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# First: it makes ready Django's settings, static files and all.
import pages
from crowd import machine, say
from django.core.management import call_command
from django.utils import timezone
from growth_sizes import month_in_postgres
from growth_work import flushed, issued
from pages_asked import Application, Asked, session_of
from pages_world import live_in, measured

from tenants.models import Tenant
from usage.metering.links import bulk

SIZES = sorted(int(size) for size in os.environ.get("SIZES", "1000,10000,100000").split(","))
MOST_REDIS, FLUSH_RATE = 1_024, 5_000  # bytes a tenant without its hours; accounts a second
WEB = (700, 10, 10)  # how often a web server's Python looks for circles: its default


@dataclass(slots=True)
class Row:
    """One line of the table: a value of each size, and the most it may be."""

    name: str
    most: float = 0.0  # 0 = nothing is promised
    digits: int = 1
    values: list[float] = field(default_factory=list)

    def line(self) -> str:
        cells = "".join(f"{value:14,.{self.digits}f}" for value in self.values)
        growth = self.values[-1] / self.values[0] if self.values[0] else 1.0
        most = f"{self.most:,.0f}" if self.most else ""
        verdict = "" if self.is_kept else "MISSED"
        return f"{self.name:48}{cells}{growth:9.2f}x{most:>9}  {verdict}".rstrip()

    @property
    def is_kept(self) -> bool:
        return not self.most or max(self.values) <= self.most


Found = Iterator[tuple[Row, float]]


def of_pages(application: Application) -> Found:
    """Milliseconds of the pages that are asked for most, warm."""
    gc.set_threshold(*WEB)  # bench/flush.py set what workers have
    at, tenants = timezone.now(), measured(pages.SAMPLES)
    cookies = [session_of(live_in(one, at)) for one in tenants]
    found = {page.name: page for page in pages.of_tenants(tenants, cookies)}
    everybody = pages.Page(
        "all tenants", [Asked("/staff/tenants/", session_of(pages.staff()))] * 6, pages.STAFF
    )
    for page in (found["overview"], found["metric, this period"], everybody):
        times = application.measure(page.asked, turns=6, is_unchanged=False)
        yield Row(f"{page.name}, ms, median"), times.median
        yield Row(f"{page.name}, ms, p95", page.most), times.p95


def of_work() -> Found:
    """Closing and flush."""
    closed = issued()
    yield Row("closing, seconds for 1,000 tenants", digits=2), closed.seconds
    count, seconds, sizes = flushed()
    yield Row("flush of all accounts, seconds"), seconds
    yield Row("flush, ms for 1,000 accounts", 1_000_000 / FLUSH_RATE, digits=0), seconds / count * 1_000_000
    yield Row("Redis, bytes of an account", MOST_REDIS, digits=0), sizes.account
    yield Row("Redis, bytes of its members (users)", digits=0), sizes.members
    yield Row("Redis, bytes of an hour, kept for two", digits=0), sizes.hour
    yield Row("PostgreSQL, bytes of a statement", digits=0), closed.bytes


def of_storage() -> Found:
    """What a tenant's month takes in PostgreSQL."""
    for name, size in month_in_postgres().items():
        yield Row(f"PostgreSQL, bytes a month: {name}", digits=0), size


def measure(application: Application, size: int) -> Found:
    say(f"{size:,} tenants: making them")
    pages.make(size)
    say("what they take in PostgreSQL")
    yield from of_storage()
    say("pages")
    yield from of_pages(application)
    say("closing and flush")
    yield from of_work()


def show(rows: Sequence[Row]) -> bool:
    """Print the table; True where everything is kept."""
    heads = "".join(f"{f'{size:,}':>14}" for size in SIZES)
    print(f"\n{machine()}\n\n{'tenants':48}{heads}{'growth':>10}{'at most':>9}")
    for row in rows:
        print(row.line())
    return all(row.is_kept for row in rows)


def main() -> int:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    bulk().flushdb()
    if Tenant.objects.exists():
        raise SystemExit("growth begins with nobody: give it servers of its own, as `make bench` does.")
    application, rows = Application(), dict[str, Row]()
    for size in SIZES:
        for row, value in measure(application, size):
            rows.setdefault(row.name, row).values.append(value)
            say(f"{size:9,} {row.name:48}{value:12,.2f}")
    return 0 if show(list(rows.values())) else 1


if __name__ == "__main__":
    with pages.folder:
        code = main()
    sys.exit(code)
