"""What the first tenants of bench/pages.py have used: totals, three months of days, two days of hours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection
from pages_copies import bare

from billing.models import Metric
from usage.metering.ledger import make_partitions, month_of

DAYS = 91
ROUTES = ("GET /v1/items", "POST /v1/orders", "GET /v1/items/{id}", "PUT /v1/files/{id}", "GET /v1/search")

Values = dict[str, str | int | date | datetime]

# What each new tenant is like. `n` is its running number.
FRESH = """
CREATE TEMPORARY TABLE fresh AS
SELECT id, n, plan_id, labels, fill,
    (SELECT array_agg(m.id ORDER BY m.position) FROM billing_metric m)[1 + n / 20 % 4] AS worst
FROM (
    SELECT id, substring(slug FROM '[0-9]+$')::int AS n FROM tenants_tenant
) t CROSS JOIN LATERAL (
    SELECT (SELECT plan_id FROM billing_subscription s WHERE s.tenant_id = t.id) AS plan_id,
    CASE WHEN n % 25 < 2 THEN 5 WHEN n % 25 < 10 THEN 2 ELSE 1 END AS labels,
    CASE n % 20 WHEN 19 THEN 105 + n / 20 % 60 WHEN 18 THEN 100 WHEN 17 THEN 80 + n / 20 % 19
        WHEN 16 THEN 80 + n / 20 % 10 ELSE 5 + n * 37 % 66 END AS fill
) life
"""
# Of each metric what is included and how much of it is used; what is not the tenant's worst is half as full.
FRESH_USE = """
CREATE TEMPORARY TABLE fresh_use AS
SELECT f.id, f.n, f.labels, a.metric_id, m.kind, f.fill = 100 AND a.metric_id = f.worst AS is_refused,
    (a.included * (CASE WHEN a.metric_id = f.worst THEN f.fill ELSE LEAST(f.fill, 100) / 2 END) / 100)::bigint AS used
FROM fresh f JOIN billing_allowance a USING (plan_id) JOIN billing_metric m ON m.id = a.metric_id
"""
PERIODS = """
INSERT INTO usage_usageperiod (tenant_id, metric_id, period, epoch, used, refused)
SELECT id, metric_id, %s, CASE kind WHEN 'distinct' THEN 0 ELSE 1 END,
    CASE kind WHEN 'level' THEN 0 ELSE used * %s / 100 END, CASE WHEN is_refused AND %s THEN 1 + n %% 300 ELSE 0 END
FROM fresh_use
"""
LEVELS = """
INSERT INTO usage_usagelevel (tenant_id, metric_id, epoch, added, removed)
SELECT id, metric_id, 1, used + used / 5, used / 5 FROM fresh_use WHERE kind = 'level'
"""
MEMBERS = """
INSERT INTO usage_usagemember (tenant_id, metric_id, period, member)
SELECT id, metric_id, %s, 'member-' || one FROM fresh_use, generate_series(1, used) one WHERE kind = 'distinct'
"""
# Who uses something on a day, or in an hour of it.
ON_DAY = "(labels > 1 OR (n + %(number)s) %% 5 = 0)"
IN_HOUR = "(labels = 5 OR (labels = 2 AND %(hour)s BETWEEN 8 AND 17) OR (n + %(hour)s) %% 8 = 0)"
DAY = """
INSERT INTO usage_usageday (tenant_id, day, metric_id, label, quantity)
SELECT id, %(day)s, metric_id, (%(routes)s::text[])[place], GREATEST(1, used * %(share)s / 10000 / place)
FROM fresh_use, generate_series(1, CASE metric_id WHEN %(calls)s THEN labels ELSE 1 END) place
WHERE kind <> 'level' AND used > 0 AND {when}
"""
LEVEL_DAY = """
INSERT INTO usage_levelday (tenant_id, day, metric_id, opening, added, removed, peak, closing)
SELECT id, %(day)s, metric_id, used * %(part)s / 100, used / 90, used / 450,
    used * (%(part)s + 1) / 100, used * (%(part)s + 1) / 100
FROM fresh_use WHERE kind = 'level' AND {when}
"""
REFUSED_DAY = """
INSERT INTO usage_refusalday (tenant_id, day, metric_id, cause, refused)
SELECT id, %(day)s, metric_id, 'limit', 1 + n %% 40 FROM fresh_use WHERE is_refused AND {when}
"""
HOUR = """
INSERT INTO usage_usagehour (tenant_id, metric_id, hour, label, epoch, quantity)
SELECT id, metric_id, %(at)s, (%(routes)s::text[])[place], 1, GREATEST(1, used * %(share)s / 10000 / place)
FROM fresh_use, generate_series(1, CASE metric_id WHEN %(calls)s THEN labels ELSE 1 END) place
WHERE kind <> 'level' AND used > 0 AND {when}
"""
LEVEL_HOUR = """
INSERT INTO usage_levelhour (tenant_id, metric_id, hour, epoch, added, removed, peak, closing)
SELECT id, metric_id, %(at)s, 1, used + used / 5, used / 5, used, used
FROM fresh_use WHERE kind = 'level' AND {when}
"""
REFUSED_HOUR = """
INSERT INTO usage_refusalhour (tenant_id, metric_id, hour, cause, epoch, refused)
SELECT id, metric_id, %(at)s, 'limit', 1, 1 + n %% 20 FROM fresh_use WHERE is_refused AND {when}
"""


def count_use(at: datetime) -> None:
    """Of all tenants there are; leaves what each is like in the temporary table `fresh`."""
    today, period = at.astimezone(UTC).date(), month_of(at)
    make_partitions({month_of(at - timedelta(days=1)), period})
    with connection.cursor() as cursor:
        for statement in (FRESH, FRESH_USE, LEVELS):
            cursor.execute(statement)
        cursor.execute(MEMBERS, [period])
        cursor.execute("INSERT INTO usage_daybook (id, open_from) VALUES (1, %s)", [today])
        for back, percent in enumerate((100, 93, 88, 79)):
            cursor.execute(PERIODS, [period, percent, back == 0])
            period = month_of(datetime.combine(period, time()) - timedelta(days=1))
    calls = Metric.objects.get(code="api_calls").pk
    with bare("usage_usageday"), bare("usage_levelday"):
        for back in range(DAYS, 0, -1):
            _write(
                (DAY, LEVEL_DAY, REFUSED_DAY),
                ON_DAY,
                _on(today - timedelta(days=back), today, DAYS - back),
                calls,
            )
    with bare("usage_usagehour"):
        for hour in _hours(at):
            _write((HOUR, LEVEL_HOUR, REFUSED_HOUR), f"{ON_DAY} AND {IN_HOUR}", _in(hour, today), calls)


def _write(statements: Sequence[str], when: str, values: Values, calls: int) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(
                statement.replace("{when}", when), {**values, "routes": list(ROUTES), "calls": calls}
            )


def _hours(at: datetime) -> Iterator[datetime]:
    """Those of yesterday and of today until `at`."""
    hour = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    while hour < at:
        yield hour
        hour += timedelta(hours=1)


def _on(day: date, today: date, number: int) -> Values:
    """`share`: ten-thousandths of a period's use on one day; `part`: percent of a level that stood by then."""
    elapsed, weekend = max(1, today.day - 1), day.isoweekday() > 5
    share = 10_000 * (4 if weekend else 12) // 10 // elapsed
    return {"day": day, "number": day.toordinal(), "share": share, "part": 10 + 90 * number // DAYS}


def _in(hour: datetime, today: date) -> Values:
    of_day = _on(hour.date(), today, DAYS)
    share = max(1, int(str(of_day["share"])) // 12)
    return {**of_day, "at": hour, "hour": hour.hour, "share": share}
