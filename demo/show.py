"""Runs the demo: prepares the database, starts the programs one after the other, waits, stops them."""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Mapping

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from config.processes import Group
from config.serve import background, web, web_environment
from demo.bills import bring_bills
from demo.cast import CUSTOMERS
from demo.console import Console
from demo.doors import point_channels, slack_url
from demo.handout import Credentials, read_credentials, write_handout
from demo.place import Place
from demo.preflight import HOST
from demo.world import make_world
from usage.metering.accounts import ensure_months
from usage.metering.history import roll_up_days

WEB_WITHIN = 60.0
FIRST_PAGE = "/sign-in/"
LAST_LINES = 12
BRIEF = {"GRANIAN_WORKERS_KILL_TIMEOUT": "2"}  # who stops the demo need not wait for a request that hangs
REQUESTS = sum(one.pace for one in CUSTOMERS)


class NotUp(Exception):
    """The web server did not come up; says what is known about it."""


def show(place: Place, port: int, console: Console) -> int:
    """Run until a signal comes or a program ends by itself; returns the exit code. Raises NotUp."""
    began = time.monotonic()
    base_url = f"http://{HOST}:{port}"
    with Group(place.logs) as group:
        console.say(f"Headroom's demo, on {_servers()}")
        credentials = _prepare(place, base_url, console)
        _start(group, place, port, base_url, console)
        console.welcome(base_url, credentials, place, seconds=time.monotonic() - began)
        group.wait()
        return group.code
    console.say("\nStopped.")  # reached by a signal: the group has ended the block
    return group.code


def _servers() -> str:
    if os.environ.get("HEADROOM_EMBEDDED"):
        return "servers of its own"
    return "the servers of DATABASE_URL and REDIS_URL"


def _prepare(place: Place, base_url: str, console: Console) -> Credentials:
    """Bring tables and tenants up to date, and write down what opens them."""
    if not os.environ.get("HEADROOM_SECRET_KEY"):
        settings.SECRET_KEY = place.secret().read_text()  # what is sealed here the programs open
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        with console.step("Tables", f"making them: {len(plan)} migrations"):
            call_command("migrate", interactive=False, verbosity=0)
    with console.step("Tenants", "a dozen, each with its history up to this hour"):
        credentials = make_world(read_credentials(place.handout), timezone.now())
        roll_up_days(timezone.now())
        ensure_months(timezone.now())
        place.mail.mkdir(parents=True, exist_ok=True)
        point_channels(base_url, timezone.now())
        write_handout(place.handout, credentials, base_url=base_url, mail_dir=place.mail)
    with console.step("Bills", "of three providers, divided among the tenants"):
        bring_bills(place.bills, timezone.now())
    connection.close()
    return credentials


def _start(group: Group, place: Place, port: int, base_url: str, console: Console) -> None:
    """Start web first and wait for its page, then all that works behind it, then the traffic."""
    environment = _environment(place, base_url)
    with console.step("Web", f"granian on port {port}"):
        group.start("web", web(HOST, port), {**environment, **web_environment(), **BRIEF})
        _wait_for_page(group, port)
    behind = background(place.schedule)
    with console.step("Celery", ", ".join(behind)):
        for name, command in behind.items():
            group.start(name, command, environment)
    with console.step("Traffic", f"{REQUESTS:.0f} real requests a second, with the tenants' own keys"):
        group.start("traffic", [sys.executable, "-m", "demo.traffic", place.handout], environment)


def _environment(place: Place, base_url: str) -> Mapping[str, str]:
    """What all programs get alike, so that they agree on servers, secret and links."""
    given = {
        "HEADROOM_DEMO": "1",
        "DATABASE_URL": settings.DATABASE_URL,
        "REDIS_URL": settings.REDIS_URL,
        "HEADROOM_BASE_URL": base_url,
        "HEADROOM_MAIL_DIR": str(place.mail),
        "HEADROOM_OPS_SLACK_URL": slack_url(base_url),
        "HEADROOM_WEBHOOK_ALLOW_PRIVATE": "1",  # its receivers are on this machine
        "HEADROOM_SELF_SERVICE_PLANS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if not os.environ.get("HEADROOM_SECRET_KEY"):
        given["HEADROOM_SECRET_KEY_FILE"] = str(place.secret())
    return given


def _wait_for_page(group: Group, port: int) -> None:
    deadline = time.monotonic() + WEB_WITHIN
    while not answers(port):
        ended = group.ended()
        if ended or time.monotonic() > deadline:
            lines = group.log_of("web").read_text(errors="replace").splitlines()[-LAST_LINES:]
            raise NotUp("\n".join([ended or f"The page is not up after {WEB_WITHIN:.0f} s.", *lines]))
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether the demo's first page is there."""
    page = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        page.request("GET", FIRST_PAGE)
        return page.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False  # not listening yet, or not listening any more
    finally:
        page.close()
