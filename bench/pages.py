"""How long pages take and how much they send, with 1,000 tenants and with 100,000: `make bench BENCH=pages`.

TENANTS=100000 is the larger number, SAMPLES=24 how many tenants' pages are asked for,
PAGES=metric narrows the list, CLOCK=cpu counts work instead of time. Server time is that of the whole
application, sessions and frames included, in this process, with PostgreSQL and Redis warm; what a page remembers for a
minute is forgotten before each tenant's first request. Bytes and requests are those of granian, as a browser asks.
Exits with 1 where a target is missed.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.chdir(ROOT)  # where granian finds the application
folder = tempfile.TemporaryDirectory(prefix="headroom-pages-")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
os.environ["HEADROOM_STATIC_ROOT"] = f"{folder.name}/static"
os.environ["HEADROOM_LOG_LEVEL"] = "ERROR"
os.environ["HEADROOM_REDIS_DEADLINE_MS"] = "5000"  # a busy machine is no outage
django.setup()

from django.core.management import call_command  # noqa: E402  # after Django, which reads the settings
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from growth_sizes import in_redis, month_in_postgres  # noqa: E402
from pages_asked import Application, Asked, Sent, Times, fetch, served, session_of  # noqa: E402
from pages_world import bill, grow, live_in, measured  # noqa: E402

from tenants.models import Tenant, User  # noqa: E402
from usage.metering import keys  # noqa: E402

SIZES = sorted({1_000, int(os.environ.get("TENANTS", "100000"))})
SAMPLES = int(os.environ.get("SAMPLES", "24"))
PAGES = os.environ.get("PAGES", "")
QUERIES, GROWTH = 12, 1.5
POLL, OVERVIEW, METRIC, STAFF = 30, 80, 120, 80  # milliseconds
FIRST_PAGE, LATER_PAGE, POLLED = 60_000, 15_000, 2_000  # bytes
REQUESTS, DEEP = 6, 30
TENANT_PAGES = (
    "cost/",
    "plan/",
    "statements/",
    "alerts/",
    "keys/",
    "members/",
    "why/",
    "history/",
    "settings/",
)
STAFF_PAGES = ("outreach/", "costs/", "inbox/", "deliveries/", "imports/", "audit/", "health/")
NEXT = re.compile(r'id="go-next" href="([^"]+)"')
CHOICES = re.compile(r'<select [^>]*name="(\w+)">(.*?)</select>', re.DOTALL)
NOT_SENT = Sent(0, 0)
CHOICE = re.compile(r'<option value="([^"]+)"')
SORTS = re.compile(r'href="[^"]*\?(?:[^"]*&amp;)?(sort=[\w-]+)')


@dataclass(slots=True)
class Page:
    """One line of the table: what is asked for, and what it may take; 0 = nothing is promised."""

    name: str
    asked: list[Asked]
    most: int = 0  # milliseconds
    turns: int = 2
    is_unchanged: bool = False
    bytes: int = LATER_PAGE
    is_first: bool = False
    grows: bool = False  # whether many tenants may make it slower by GROWTH at most
    times: list[Times] = field(default_factory=list)
    sent: Sent = NOT_SENT

    def misses(self) -> list[str]:
        """What it promises and does not keep."""
        last, said = self.times[-1], []
        if self.most and last.p95 > self.most:
            said.append(f"p95 over {self.most} ms")
        if self.ratio > GROWTH and self.grows:
            said.append(f"more than {GROWTH} x")
        if last.queries > QUERIES:
            said.append(f"over {QUERIES} queries")
        if self.bytes and self.sent.bytes > self.bytes:
            said.append(f"over {self.bytes:,} bytes")
        return said + (["too many requests"] if self.sent.requests > REQUESTS else [])

    @property
    def ratio(self) -> float:
        return self.times[-1].median / self.times[0].median


def of_tenants(tenants: Sequence[Tenant], sessions: Sequence[str]) -> list[Page]:
    """The pages of tenants' people, each asked by an owner."""
    homes = [(f"/t/{one.slug}/", cookie) for one, cookie in zip(tenants, sessions, strict=True)]

    def asked(path: str, *, is_htmx: bool = False) -> list[Asked]:
        return [Asked(home + path, cookie, is_htmx) for home, cookie in homes]

    metric = "metrics/api_calls/"
    return [
        Page("first page: overview", asked(""), OVERVIEW, is_first=True, bytes=FIRST_PAGE),
        Page("overview", asked(""), OVERVIEW),
        Page("overview, poll, changed", asked("?seen=0", is_htmx=True), POLL, turns=12, bytes=POLLED),
        Page("overview, poll, unchanged", asked(""), POLL, turns=12, is_unchanged=True, bytes=POLLED),
        Page("metric, this period", asked(metric), METRIC),
        *(
            Page(f"metric, {one}", asked(f"{metric}?range={one}"), METRIC)
            for one in ("24h", "7d", "30d", "90d")
        ),
        Page("metric, storage", asked("metrics/storage/"), METRIC),
        Page("metric, poll, changed", asked(f"{metric}?seen=0", is_htmx=True), POLL, turns=12, bytes=POLLED),
        *(Page(path.strip("/"), asked(path)) for path in TENANT_PAGES),
    ]


def of_staff(application: Application, cookie: str, example: Tenant) -> list[Page]:
    """The pages of operations; of all tenants every filter and sort that the page offers."""
    home, times = "/staff/tenants/", max(4, SAMPLES // 4)
    page = application.ask(Asked(home, cookie))[1]

    def listed(name: str, query: str) -> Page:
        return Page(f"all tenants{name}", [Asked(f"{home}{query}", cookie)] * times, STAFF, grows=True)

    words = example.name.split()
    searches = [words[0][0], words[0], " ".join(words[:2]), words[-1], str(example.pk), "nobody"]
    choices = [
        f"{name}={value}" for name, options in CHOICES.findall(page) for value in CHOICE.findall(options)
    ]
    choices += sorted({unescape(one) for one in SORTS.findall(page)})
    poll = [Asked(f"{home}?seen=0", cookie, is_htmx=True)] * times
    return [
        listed("", ""),
        Page("all tenants, poll, changed", poll, POLL, turns=12, bytes=LATER_PAGE, grows=True),
        listed(f", {DEEP} pages on", deep(application, Asked(home, cookie))),
        *(listed(f", search “{one}”", f"?q={one.replace(' ', '+')}") for one in searches),
        *(listed(f", {one}", f"?{one}") for one in choices),
        *(Page(f"staff {one.strip('/')}", [Asked(f"/staff/{one}", cookie)] * times) for one in STAFF_PAGES),
    ]


def deep(application: Application, asked: Asked) -> str:
    """The query of a page far down the list."""
    query = ""
    for _ in range(DEEP):
        found = NEXT.search(application.ask(Asked(asked.path + query, asked.cookie))[1])
        if found is None:
            break
        query = "?" + unescape(found[1]).partition("?")[2]
    return query


def staff() -> User:
    person = User.objects.filter(email="staff@ops.example").first()
    return person or User.objects.create_superuser("staff@ops.example")


def all_pages(application: Application) -> list[Page]:
    at, tenants = timezone.now(), measured(SAMPLES)
    owners = [live_in(one, at) for one in tenants]
    cookies = [session_of(one) for one in owners]
    return [
        *of_tenants(tenants, cookies),
        *of_staff(application, session_of(staff()), tenants[0]),
    ]


def make(count: int) -> None:
    begun, at = time.perf_counter(), timezone.now()
    if grow(count, at):
        for one in measured(SAMPLES):
            live_in(one, at)
        bill(at)
        print(f"made {count:,} tenants in {time.perf_counter() - begun:.0f} s", flush=True)


def show_sizes() -> None:
    """What a tenant takes in PostgreSQL, and one that counts in Redis."""
    months = ", ".join(f"{size:,.0f} {name}" for name, size in month_in_postgres().items())
    print(f"\nPostgreSQL, bytes a tenant and month: {months}")
    some = measured(SAMPLES)
    sizes = in_redis(some, some, keys.hour_name(timezone.now()))
    print(
        f"Redis, bytes a tenant: {sizes.account:,.0f}, its members {sizes.members:,.0f}, an hour {sizes.hour:,.0f}"
    )


def show(pages: Sequence[Page], sizes: Sequence[int]) -> bool:
    """Print the table; True where everything is kept."""
    heads = "".join(f"{f'{size:,}':>16}" for size in sizes)
    print(
        f"\nmedian / p95 in ms; the most: {GROWTH} x, {QUERIES} queries, {REQUESTS} requests, and what follows a slash"
    )
    print(f"{'':38}{heads}{'p95':>6}{'growth':>8}{'queries':>9}{'bytes':>15}{'requests':>10}")
    for page in pages:
        times = "".join(f"{one.median:8.1f}{one.p95:8.1f}" for one in page.times)
        most = f"/{page.most}" if page.most else ""
        sent = f"{page.sent.bytes:,}" + (f"/{page.bytes:,}" if page.bytes else "")
        end = f"{page.times[-1].queries:9}{sent:>15}{page.sent.requests:10}"
        print(f"{page.name:38}{times}{most:>6}{page.ratio:7.2f}x{end}  {', '.join(page.misses()) or 'kept'}")
    return not any(page.misses() for page in pages)


def main() -> int:
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, Django", end=" "
    )
    print(f"{django.get_version()}, PostgreSQL {postgres}", flush=True)
    application, found = Application(), dict[str, Page]()
    # A larger world that is there already is measured alone.
    sizes = [size for size in SIZES if size >= Tenant.objects.count()]
    for size in sizes:
        make(size)
        for page in all_pages(application):
            if not re.search(PAGES, page.name):
                continue
            page = found.setdefault(page.name, page)
            times = application.measure(page.asked, page.turns, is_unchanged=page.is_unchanged)
            sys.stderr.write(
                f"{size:9,} {page.name:38}{times.median:8.1f}{times.p95:8.1f}{times.queries:4}\n"
            )
            page.times.append(times)
    with served(Path(folder.name), {"HEADROOM_STATIC_ROOT": f"{folder.name}/static"}) as port:
        for page in found.values():
            one = application.poll(page.asked[0]) if page.is_unchanged else page.asked[0]
            page.sent = fetch(port, one, is_first=page.is_first)
    is_kept = show(list(found.values()), sizes)
    show_sizes()
    return 0 if is_kept else 1


if __name__ == "__main__":
    try:
        code = main()
    finally:
        folder.cleanup()
    sys.exit(code)
