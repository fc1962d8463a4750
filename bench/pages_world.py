"""The world that bench/pages.py looks at: tenants on all plans with three months of days and two days of hours.

Of twenty tenants sixteen are calm, two near a limit, one at it (on a plan that stops) and one over it (on one that
bills). Of twenty-five two are busy around the clock, eight by day, the rest now and then. Where tenants stand and what
they are told is judged by the flush's own code.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection
from pages_copies import copy_to
from pages_counts import ROUTES, count_use

from billing.caps import set_cap
from billing.closings import closing
from billing.costs.bills import TypedRow, type_bill
from billing.models import CostRule, Metric, Override, Plan, Subscription
from billing.periods import period_at, period_before
from tenants.keys import create_key
from tenants.models import Membership, Tenant, User
from usage.costs.allocate import allocate_month
from usage.costs.months import month_at
from usage.metering import Charge, consume
from usage.metering.standings import Touch, restand
from usage.metering.upkeep import expect_use
from usage.money.closing import issue_due

FIRST_NAMES = (
    "Amber",
    "Birch",
    "Cedar",
    "Delta",
    "Ember",
    "Falcon",
    "Granite",
    "Harbor",
    "Indigo",
    "Juniper",
    "Kestrel",
)
LAST_NAMES = (
    "Analytics",
    "Bakery",
    "Capital",
    "Dental",
    "Energy",
    "Foods",
    "Games",
    "Health",
    "Insurance",
    "Journal",
)
SECTORS = ("Group", "Holdings", "Labs", "Partners", "Studio", "Systems", "Union")
PATTERNS = 1_000  # the rest are copies of these

# Most was delivered over the last days; of fifty one was given up.
DELIVERED = """
UPDATE usage_delivery d SET created_at = a.at, due_at = a.at, tried_at = a.at, ended_at = a.at, attempts = 1,
    took_ms = 40 + a.id % 300, status = CASE WHEN a.id % 50 = 0 THEN 'dead' ELSE 'sent' END
FROM usage_alert a WHERE a.id = d.alert_id
"""
TOLD = "UPDATE usage_alert SET at = at - id % 20000 * interval '1 minute'"
NOTICES = """
INSERT INTO usage_notice (tenant_id, kind, delivery_id, text, at, seen_at)
SELECT a.tenant_id, 'alert', d.id, 'A limit was reached.', a.at, CASE WHEN a.id % 100 > 0 THEN now() END
FROM usage_delivery d JOIN usage_alert a ON a.id = d.alert_id WHERE d.channel = 'inbox'
"""


def grow(count: int, at: datetime) -> int:
    """Add tenants until there are `count`, with all that was counted of them; returns how many were added."""
    before = Tenant.objects.count()
    if not before:
        _people(at)
        count_use(at)
        _stand(at)
    elif before < count:
        copy_to(count)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return Tenant.objects.count() - before


def plan_of(n: int) -> str:
    """Half are on free; who is over is on a plan that bills, who is at a limit on one that stops."""
    turn = n // 20
    if n % 20 == 19:
        return "pro" if turn % 4 else "enterprise"
    if n % 20 == 18:
        return "starter" if turn % 2 else "free"
    return ("free", "free", "free", "free", "free", "starter", "starter", "starter", "pro", "pro")[turn % 10]


def _people(at: datetime) -> None:
    """Tenants with an owner, a plan and, one in twenty-five, more than it."""
    plans, since = {plan.slug: plan for plan in Plan.objects.all()}, at - timedelta(days=200)
    storage, role = Metric.objects.get(code="storage"), Membership.Role.OWNER
    tenants = Tenant.objects.bulk_create(_tenant(n, since) for n in range(PATTERNS))
    owners = User.objects.bulk_create(User(email=f"owner-{n}@tenants.example") for n in range(PATTERNS))
    Membership.objects.bulk_create(
        Membership(tenant=one, user=owner, role=role) for one, owner in zip(tenants, owners, strict=True)
    )
    Subscription.objects.bulk_create(
        Subscription(tenant=one, plan=plans[plan_of(n)], starts=since) for n, one in enumerate(tenants)
    )
    Override.objects.bulk_create(
        Override(tenant=one, metric=storage, units=10**9, reason="agreed by mail", starts=since)
        for one in tenants[::25]
    )


def _tenant(n: int, since: datetime) -> Tenant:
    words = [names[n // 7 % len(names)] for names in (FIRST_NAMES, LAST_NAMES, SECTORS)]
    return Tenant(slug=f"{'-'.join(words).lower()}-{n}", name=f"{' '.join(words)} {n}", created_at=since)


def _stand(at: datetime) -> None:
    """Judge the tenants and learn what to expect of them; what they are told was delivered already."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, labels, n FROM fresh")
        found = cursor.fetchall()
    restand(
        {pk: Touch(at - timedelta(minutes=n % 60 if labels > 1 else n * 6)) for pk, labels, n in found}, at
    )
    expect_use(at)
    with connection.cursor() as cursor:
        cursor.execute(TOLD)
        cursor.execute(DELIVERED)
        cursor.execute(NOTICES)


def measured(count: int) -> list[Tenant]:
    """So many tenants of every state, plan and worst metric that are used every day."""
    found = [n for n in range(PATTERNS) if n % 25 < 10 and n % 20 in (3, 16, 18, 19)][:count]
    return sorted(
        Tenant.objects.filter(slug__regex=rf"-({'|'.join(map(str, found))})$"), key=lambda one: one.slug
    )


def live_in(tenant: Tenant, at: datetime) -> User:
    """Give a measured tenant an open account in Redis, a key, a cap, a viewer and statements; returns its owner."""
    owner = User.objects.get(memberships__tenant=tenant, memberships__role=Membership.Role.OWNER)
    if not tenant.api_keys.exists():
        create_key(tenant, name="job", at=at, created_by=owner)
        viewer = User.objects.create(email=f"viewer@{tenant.slug}.example")
        Membership.objects.create(tenant=tenant, user=viewer, role=Membership.Role.VIEWER)
        set_cap(tenant, side="owner", mode="stop", amount=Decimal(900), at=at, actor=owner)
        closing(tenant, period_before(tenant, period_at(tenant, at))).save()
        issue_due(at, only=[tenant.pk])
    for route in ROUTES:
        consume(tenant, Charge("api_calls", 1, route), Charge("bandwidth", 512, route), at=at)
    return owner


def bill(at: datetime) -> None:
    """What a provider bills this month, divided among all tenants."""
    month, calls = month_at(at), Metric.objects.get(code="api_calls")
    if not CostRule.objects.exists():
        CostRule.objects.create(name="Calls", service="Compute*", driver=CostRule.Driver.METRIC, metric=calls)
        CostRule.objects.create(name="Rest", service="Support", driver=CostRule.Driver.SHARED, position=2)
        CostRule.objects.create(name="Even", service="Network", driver=CostRule.Driver.EVEN, position=3)
    size = Decimal(Tenant.objects.count())
    rows = [
        TypedRow(name, size * 3 + n)
        for n, name in enumerate(("Compute Engine", "Network", "Support", "Other"))
    ]
    type_bill("Acme Cloud", month.first, rows, author=None, at=at)
    allocate_month(month, at)
