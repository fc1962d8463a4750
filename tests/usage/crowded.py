"""Rows of every kind that the admin lists, each with a tenant and people of its own; and one that has many parts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from django.contrib.auth.models import Group, Permission

from billing.costs.bills import TypedRow, type_bill
from billing.models import (
    Allowance,
    CostAlias,
    CostBill,
    CostRule,
    CostWeight,
    EntitlementChange,
    Metric,
    Override,
    Plan,
    PriceTier,
    SpendCap,
    Subscription,
)
from tenants.keys import create_key
from tenants.models import Membership, Tenant, User
from tests.usage.standing import standing
from usage.models import Alert, Delivery, Notice, Threshold

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
FIRST = date(2026, 11, 1)


class Crowd:
    """`whole` has parts of each kind; every row beside it stands alone."""

    def __init__(self) -> None:
        self.number = 0
        self.metric = Metric.objects.get(code="api_calls")
        self.whole = self._tenant("whole")
        self.plan = Plan.objects.create(slug="whole", name="Whole")
        self.allowance = Allowance.objects.create(
            plan=self.plan, metric=self.metric, included=0, beyond="bill"
        )
        self.rule = CostRule.objects.create(name="whole", driver="weights")
        self.alert = self._alert(self.whole)
        self.person = User.objects.create_user("whole@x.example")
        self.group = Group.objects.create(name="whole")
        self.bill = self._bill("whole", 1)

    def grow(self, count: int) -> None:
        """So many more rows of each list, and parts of what is whole."""
        for _ in range(count):
            self.number += 1
            tenant = self._tenant(f"t{self.number}")
            self._rows(tenant, User.objects.create_user(f"p{self.number}@x.example"))
            self._parts(tenant, User.objects.create_user(f"q{self.number}@x.example"))
        self.group.permissions.set(Permission.objects.all()[: self.number])
        self.bill = self._bill("whole", self.number)

    def _rows(self, tenant: Tenant, person: User) -> None:
        plan, metric = self._plan(), self._metric()
        Membership.objects.create(tenant=tenant, user=person)
        create_key(tenant, name="job", at=AT, created_by=person)
        Subscription.objects.create(tenant=tenant, plan=plan, starts=AT, author=person)
        Allowance.objects.create(plan=plan, metric=metric, included=1)
        Override.objects.create(tenant=tenant, metric=metric, units=1, reason="x", author=person, starts=AT)
        SpendCap.objects.create(tenant=tenant, side="owner", mode="stop", amount=1, author=person, since=AT)
        EntitlementChange.objects.create(tenant=tenant, version=1, reason="x", actor=person, at=AT)
        Threshold.objects.create(tenant=tenant, metric=metric, percents=[80])
        Delivery.objects.create(
            alert=self._alert(tenant),
            tenant=tenant,
            channel="email",
            target="a@x.example",
            due_at=AT,
            created_at=AT,
        )
        Notice.objects.create(tenant=tenant, kind="alert", text="x", at=AT, seen_by=person)
        CostAlias.objects.create(value=tenant.slug, tenant=tenant)
        CostRule.objects.create(name=tenant.slug, metric=metric, driver="metric")
        Group.objects.create(name=tenant.slug)
        self._bill(tenant.slug, 1)

    def _parts(self, tenant: Tenant, person: User) -> None:
        """One more of all that belongs to what is whole."""
        metric = self._metric()
        Membership.objects.create(tenant=self.whole, user=person)
        Membership.objects.create(tenant=tenant, user=self.person)
        create_key(self.whole, name=f"job {self.number}", at=AT, created_by=person)
        ends = AT.replace(year=2000 + self.number)
        Subscription.objects.create(
            tenant=self.whole, plan=self._plan(), starts=AT.replace(year=1999), ends=ends, author=person
        )
        Override.objects.create(
            tenant=self.whole, metric=metric, units=1, reason="x", author=person, starts=AT
        )
        Threshold.objects.create(tenant=self.whole, metric=metric, percents=[80])
        Allowance.objects.create(plan=self.plan, metric=metric, included=1)
        PriceTier.objects.create(allowance=self.allowance, up_to=self.number, price=1, per=1)
        CostWeight.objects.create(rule=self.rule, tenant=tenant, weight=1)
        Delivery.objects.create(
            alert=self.alert, channel="email", target=person.email, due_at=AT, created_at=AT
        )

    def _tenant(self, slug: str) -> Tenant:
        tenant: Tenant = standing(slug).tenant
        return tenant

    def _alert(self, tenant: Tenant) -> Alert:
        given = {"kind": "threshold", "percent": 80, "limit": 1, "used": 1, "is_sent": True, "at": AT}
        return Alert.objects.create(tenant=tenant, metric=self.metric, period=FIRST, **given)

    def _plan(self) -> Plan:
        name = f"plan-{Plan.objects.count()}"
        return Plan.objects.create(slug=name, name=name)

    def _metric(self) -> Metric:
        name = f"metric_{Metric.objects.count()}"
        return Metric.objects.create(code=name, name=name, noun="things", kind="sum")

    def _bill(self, provider: str, rows: int) -> CostBill:
        typed = [TypedRow(f"service {n}", Decimal(1)) for n in range(rows)]
        author = User.objects.get(email="whole@x.example")
        return type_bill(provider, FIRST, typed, author=author, at=AT)
