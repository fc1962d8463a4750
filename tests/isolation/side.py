"""One tenant with everything that could be seen of it: people, a key, counts, alerts, files, rows of each kind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from uuid import UUID

from billing.caps import set_cap
from billing.closings import closing
from billing.costs.bills import TypedRow, type_bill
from billing.costs.pending import receive
from billing.models import CostAlias, CostRule, Metric, Override, Plan, Statement
from billing.periods import period_at, period_before
from billing.subscriptions import subscribe
from demo.models import DemoFile
from tenants.invitations import invite, withdraw
from tenants.keys import create_key
from tenants.models import Membership, Tenant, User
from tests.conftest import LONG_AGO
from tests.usage.counted import refuse, use
from usage.alerts.setup import add_endpoint
from usage.costs.allocate import allocate_month
from usage.costs.months import Month
from usage.metering.standings import Touch, restand
from usage.models import Delivery, Threshold
from usage.money.closing import issue_due
from usage.wishes import ask_for_plan


@dataclass(frozen=True, slots=True)
class Side:
    """A tenant whose every text holds one rare word; `marks` are what no page of another tenant may show."""

    tenant: Tenant
    people: dict[str, User]  # by role
    secret: str
    pending: UUID  # a provider's bill that waits for a yes
    file: str  # its name, without the word: who asks for a file says its name
    statement: str  # its number
    marks: tuple[str, ...]


def make_side(word: str, used: int, at: datetime) -> Side:
    """A tenant on the plan pro that has used so many of its 500 000 API calls, and was told so."""
    tenant = Tenant.objects.create(slug=f"{word}-works", name=f"{word.title()} Works", created_at=LONG_AGO)
    people = {role: _person(tenant, role, word) for role in Membership.Role.values}
    key, secret = create_key(tenant, name=f"{word} job", at=at, created_by=people["owner"])
    digest = hashlib.sha256(word.encode()).hexdigest()
    DemoFile.objects.create(tenant=tenant, name=f"{digest[:8]}.csv", size=3, sha256=digest)
    _rights(tenant, word, people["owner"], at)
    number = _bill(tenant, at)
    _history(tenant, word, used, people["admin"], at)
    pending = _costs(word, tenant, people["admin"], at)
    marks = (word, key.prefix, digest, str(used), f"{used:,}")
    return Side(tenant, people, secret, pending, f"{digest[:8]}.csv", number, marks)


def _person(tenant: Tenant, role: str, word: str) -> User:
    user = User.objects.create_user(f"{role}@{word}.example", first_name=role.title(), last_name=word.title())
    Membership.objects.create(tenant=tenant, user=user, role=role)
    return user


def _rights(tenant: Tenant, word: str, author: User, at: datetime) -> None:
    """A plan, a little more than it, thresholds of its own, who is invited, and who is no longer."""
    subscribe(tenant, Plan.objects.get(slug="pro"), at=LONG_AGO, actor=author, reason=f"{word} signed up")
    metric = Metric.objects.get(code="storage")
    Override.objects.create(
        tenant=tenant, metric=metric, units=1, reason=f"{word} asked", author=author, starts=at
    )
    Threshold.objects.create(tenant=tenant, percents=[80, 95])
    set_cap(tenant, side="owner", mode="stop", amount=Decimal(390), at=at, actor=author)
    url = f"https://{word}.example/{word}"
    add_endpoint(tenant, kind="webhook", url=url, name="", person=author, at=at)
    for name in ("friend", "gone"):
        asked = invite(tenant, email=f"{name}@{word}.example", role=Membership.Role.VIEWER, by=author, at=at)
    withdraw(asked, by=author, at=at)


def _bill(tenant: Tenant, at: datetime) -> str:
    """A statement for the period before; its number."""
    closing(tenant, period_before(tenant, period_at(tenant, at))).save()
    issue_due(at, only=[tenant.pk])
    return Statement.objects.get(tenant=tenant).number


def _costs(word: str, tenant: Tenant, author: User, at: datetime) -> UUID:
    """What a provider bills us, how it is divided, and another bill of it that waits to be imported."""
    row = TypedRow(f"{word} compute", Decimal("483.65"))
    type_bill(f"{word} cloud", date(2026, 9, 1), [row], author=author, at=at)
    CostRule.objects.create(name=word, service=f"{word} backup", driver=CostRule.Driver.SHARED)
    CostAlias.objects.create(value=f"{word}-prod", tenant=tenant)
    allocate_month(Month(date(2026, 9, 1)), at)
    lines = [
        "ChargePeriodStart,ChargeCategory,BilledCost,ServiceName",
        f"2026-10-01T00:00:00Z,Usage,1,{word}",
    ]
    file = BytesIO("\n".join(lines).encode())
    return receive(file, name=f"{word}.csv", provider=f"{word} cloud", author=author, at=at).pk


def _history(tenant: Tenant, word: str, used: int, asker: User, at: datetime) -> None:
    """Counts and refusals in the ledger, the alerts they raise, a wish in the staff inbox."""
    use(tenant, "api_calls", used, at=at, label=f"GET /{word}")
    refuse(tenant, "api_calls", 1, at=at)
    restand({tenant.pk: Touch(at)}, at)
    Delivery.objects.filter(tenant=tenant).update(
        status=Delivery.Status.DEAD, ended_at=at
    )  # to be sent again
    ask_for_plan(tenant, Plan.objects.get(slug="enterprise"), person=asker, at=at)
