"""What PostgreSQL and Redis say of themselves, in the words of the health page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.dateformat import format as written
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage.metering import Signs, is_delayed, ledger
from usage.reports import dates
from usage.reports.gauges import ok
from usage.reports.meters import Look
from usage.reports.vitals import Vitals

MEGA = 1_000_000
POSTGRES = """
SELECT current_setting('server_version'),
(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
current_setting('max_connections'),
COALESCE((SELECT max(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), 0)
"""

Facts = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Server:
    """One server: whether it is well, and what it says."""

    name: str
    is_well: bool
    facts: Facts

    @property
    def look(self) -> Look:
        return ok() if self.is_well else Look("full", _("Look here"))


def servers(read: Vitals) -> tuple[Server, Server]:
    """Redis and PostgreSQL; one more query."""
    return _redis(read), _postgres(read.at)


def _redis(read: Vitals) -> Server:
    breaker = (_("Breaker"), _breaker(read))
    if read.signs is None:
        return Server("Redis", False, [(_("Server"), _("does not answer")), breaker])
    return Server("Redis", read.open_breakers == 0, [*_redis_facts(read.signs, read.at), breaker])


def _redis_facts(signs: Signs, at: datetime) -> Facts:
    info = signs.info
    name = "Valkey" if "valkey_version" in info else "Redis"
    role = _("primary") if info["role"] == "master" else _("replica")
    up_since = at - timedelta(seconds=info["uptime_in_seconds"])
    most = f"{info['maxmemory'] / MEGA:,.0f} MB" if info.get("maxmemory") else _("no limit")
    memory = {"used": f"{info['used_memory'] / MEGA:,.0f}", "most": most, "policy": info["maxmemory_policy"]}
    return [
        (_("Server"), f"{name} {info.get('valkey_version', info['redis_version'])}, {role}"),
        (_("Up since"), _moment(up_since)),
        (_("Memory"), _("%(used)s MB of %(most)s, %(policy)s") % memory),
        (_("Clients"), f"{info['connected_clients']:,}"),
    ]


def _breaker(read: Vitals) -> str:
    if read.open_breakers:
        text = ngettext("open in %d process", "open in %d processes", read.open_breakers)
        return text % read.open_breakers
    return _("failing here") if is_delayed() else _("closed")


def _postgres(at: datetime) -> Server:
    with connection.cursor() as cursor:
        cursor.execute(POSTGRES)
        version, used, most, longest = cursor.fetchone()
    ahead = max(ledger.partitions(ledger.HOURLY[0]), default=None)
    pending = _pending_migrations()
    is_ahead = ahead is not None and ahead > at.date()
    facts = [
        (_("Server"), version.split()[0]),
        (_("Connections"), _("%(used)s of %(most)s") % {"used": used, "most": most}),
        (_("Longest transaction"), f"{longest:.1f} s"),
        (_("Partitions made ahead"), _("to %s") % written(ahead, "M Y") if ahead else _("none")),
        (_("Migrations"), _("%d to apply") % pending if pending else _("all applied")),
    ]
    return Server("PostgreSQL", is_ahead and not pending, facts)


def _pending_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _moment(at: datetime) -> str:
    return f"{dates.day(at)}, {dates.minute(at)}"
