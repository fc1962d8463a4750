"""Very many tenants from a thousand: each row of a tenant is copied, so that what judged the first judged all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# Tables whose rows name nothing but their tenant; of days the last five weeks, of all else everything.
LOOSE = (
    "billing_subscription",
    "billing_override",
    "billing_entitlement",
    "usage_standing",
    "usage_expectation",
    "usage_usageperiod",
    "usage_usagelevel",
    "usage_usagemember",
    "usage_usageday",
    "usage_levelday",
    "usage_refusalday",
    "usage_usagehour",
    "usage_levelhour",
    "usage_refusalhour",
    "usage_levelaccrual",
    "usage_judgedlimit",
    "usage_alert",
)
ROWS = (
    "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} r JOIN copies c ON c.pattern = r.tenant_id"
)
WEEKS = " WHERE day > now() - interval '35 days'"
BARE = ("usage_usageday", "usage_levelday", "usage_usagehour", "usage_usageperiod", "usage_usagemember")

TENANTS = """
INSERT INTO tenants_tenant ({columns})
SELECT {values} FROM generate_series(%(first)s, %(last)s) n
JOIN tenants_tenant t ON substring(t.slug FROM '[0-9]+$')::int = n %% 1000
"""
COPIES = """
CREATE TEMPORARY TABLE copies AS
SELECT t.id, p.id AS pattern FROM tenants_tenant t
JOIN (SELECT id, substring(slug FROM '[0-9]+$')::int AS n FROM tenants_tenant) p
    ON p.n = substring(t.slug FROM '[0-9]+$')::int % 1000
WHERE t.id > {last}
"""
PEOPLE = """
WITH made AS (
    INSERT INTO tenants_user
        (password, is_superuser, first_name, last_name, is_staff, is_active, date_joined, email, time_zone)
    SELECT '!', false, '', '', false, true, now(), 'copy-' || id || '@tenants.example', '' FROM copies
    RETURNING id, email
)
INSERT INTO tenants_membership (tenant_id, user_id, role, created_at)
SELECT split_part(split_part(email, '@', 1), '-', 2)::bigint, id, 'owner', now() FROM made
"""
DELIVERIES = """
INSERT INTO usage_delivery ({columns})
SELECT {values} FROM usage_delivery d JOIN usage_alert a ON a.id = d.alert_id
JOIN copies c ON c.pattern = a.tenant_id
JOIN usage_alert b ON b.tenant_id = c.id
    AND (b.metric_id, b.period, b.kind, b.percent) IS NOT DISTINCT FROM (a.metric_id, a.period, a.kind, a.percent)
"""
NOTICES = """
INSERT INTO usage_notice (tenant_id, kind, delivery_id, text, at, seen_at)
SELECT c.id, 'alert', d.id, 'A limit was reached.', d.created_at, CASE WHEN d.alert_id % 100 > 0 THEN now() END
FROM copies c JOIN usage_delivery d ON d.tenant_id IS NULL AND d.channel = 'inbox'
JOIN usage_alert a ON a.id = d.alert_id AND a.tenant_id = c.id
"""


def copy_to(count: int) -> None:
    """Copy the first thousand tenants until there are `count`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), max(id) FROM tenants_tenant")
        before, last = cursor.fetchone()
        own = {
            "slug": "regexp_replace(slug, '[0-9]+$', '') || n",
            "name": "regexp_replace(name, '[0-9]+$', '') || n",
        }
        cursor.execute(_filled(TENANTS, "tenants_tenant", own), {"first": before, "last": count - 1})
        cursor.execute(COPIES.format(last=last))
        cursor.execute("ANALYZE copies")
        cursor.execute(PEOPLE)
        for table in LOOSE:
            statement = ROWS + WEEKS if table.endswith("day") else ROWS
            filled = _filled(statement, table, {"tenant_id": "c.id"})
            with bare(table, is_wanted=table in BARE):
                cursor.execute(filled)
        cursor.execute("ANALYZE usage_alert")
        values = {
            "id": "gen_random_uuid()",
            "alert_id": "b.id",
            "tenant_id": "CASE WHEN d.tenant_id IS NULL THEN NULL ELSE c.id END",
        }
        cursor.execute(_filled(DELIVERIES, "usage_delivery", values, row="d."))
        cursor.execute(NOTICES)
        cursor.execute("DROP TABLE copies")


def _filled(statement: str, table: str, own: dict[str, str], row: str = "") -> str:
    """The statement with all columns of the table but those that number themselves; `own` has other values."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_identity = 'NO'",
            [table],
        )
        names = [name for (name,) in cursor.fetchall()]
    values = [own.get(name, f'{row}"{name}"') for name in names]
    return statement.format(
        table=table, columns=", ".join(f'"{name}"' for name in names), values=", ".join(values)
    )


@contextmanager
def bare(table: str, *, is_wanted: bool = True) -> Iterator[None]:
    """Without its key, which is built anew at the end: far quicker, and rows lie in the order of their days."""
    if not is_wanted:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'p'",
            [table],
        )
        name, key = cursor.fetchone()
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        yield
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key}")
