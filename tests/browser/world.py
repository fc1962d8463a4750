"""The tenants whose pages are looked at, each for one purpose, so that no test changes what another one sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.hashers import make_password

from billing.caps import set_cap
from billing.closings import closing
from billing.costs.bills import TypedRow, type_bill
from billing.models import CostRule, Metric, Plan
from billing.periods import period_at, period_before
from billing.subscriptions import subscribe
from tenants.keys import create_key
from tenants.models import Membership, Tenant, User
from tests.browser.places import Wrong, forms, places
from tests.conftest import LONG_AGO, PASSWORD
from tests.isolation.side import Side, make_side
from tests.usage.counted import move, refuse, see, use
from usage.costs.allocate import allocate_month
from usage.costs.months import month_at
from usage.metering.chores import expect_use
from usage.metering.standings import Touch, restand
from usage.money.closing import issue_due

STAFF = "sam@ops.example"
NOBODY = "nora@nowhere.example"  # belongs to no tenant
MB = 10**6


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant with an owner and a viewer, and the secret of its key."""

    tenant: Tenant
    key: str

    @property
    def home(self) -> str:
        return f"/t/{self.tenant.slug}/"

    @property
    def owner(self) -> str:
        return f"owner@{self.tenant.slug}.example"

    @property
    def viewer(self) -> str:
        return f"viewer@{self.tenant.slug}.example"


@dataclass(frozen=True, slots=True)
class World:
    """`harbor` is free and idle, `quarry` free and full, `meadow` in billed overage, `ferry` alone on its plan.

    `lagoon` is free, and its members and keys come and go. `granite` is stopped by its spend cap, and `orchard` has
    stored 84.8 of its 100 MB. `willow` will use more calls than it has. `side` has one of everything,
    for who walks all pages.
    """

    harbor: Place
    quarry: Place
    meadow: Place
    ferry: Place
    lagoon: Place
    granite: Place
    orchard: Place
    willow: Place
    side: Side
    places: dict[str, list[str]]  # the paths of all pages, by who opens them
    mistakes: list[Wrong]  # one in each form


def make_world(at: datetime) -> World:
    """All of it, with counts in the ledger as a flush leaves them."""
    secret = make_password(PASSWORD)
    User.objects.create(email=NOBODY, password=secret, first_name="Nora")
    side = _side(secret, at)
    User.objects.create(email=STAFF, password=secret, first_name="Sam", is_staff=True, is_superuser=True)
    world = World(
        harbor=_place("harbor", "free", secret, at),
        quarry=_place("quarry", "free", secret, at),
        meadow=_place("meadow", "pro", secret, at),
        ferry=_place("ferry", "starter", secret, at),
        lagoon=_place("lagoon", "free", secret, at),
        granite=_place("granite", "pro", secret, at),
        orchard=_place("orchard", "free", secret, at),
        willow=_place("willow", "free", secret, at, anchor_day=min(28, (at - timedelta(days=12)).day)),
        side=side,
        places=places(side),
        mistakes=forms(side),
    )
    use(world.quarry.tenant, "api_calls", 1_000, at=at)
    _busy(world.meadow.tenant, at)
    use(world.granite.tenant, "api_calls", 500_200, at=at, label="GET /quarries")
    set_cap(world.granite.tenant, side="owner", mode="stop", amount=Decimal("0.10"), at=at, actor=None)
    for days in range(11):
        use(world.willow.tenant, "api_calls", 90, at=at - timedelta(days=days), label="GET /reeds")
    move(world.orchard.tenant, added=84_800_000, closing=84_800_000, at=at)
    used = (world.quarry, world.meadow, world.granite, world.orchard, world.willow)
    restand({place.tenant.pk: Touch(at) for place in used}, at)
    expect_use(at)
    _bill(world.meadow.tenant, at)
    _costs(at)
    return world


def _side(secret: str, at: datetime) -> Side:
    """What the tests of isolation ask for; its people sign in as all others do."""
    side = make_side("zephyrine", 483_647, at)
    User.objects.filter(pk__in=[person.pk for person in side.people.values()]).update(password=secret)
    return side


def _place(slug: str, plan: str, secret: str, at: datetime, anchor_day: int = 1) -> Place:
    name = f"{slug.title()} Books"
    tenant = Tenant.objects.create(slug=slug, name=name, created_at=LONG_AGO, anchor_day=anchor_day)
    subscribe(tenant, Plan.objects.get(slug=plan), at=LONG_AGO, actor=None, reason="signed up")
    for role in (Membership.Role.OWNER, Membership.Role.VIEWER):
        user = User.objects.create(
            email=f"{role}@{slug}.example", password=secret, first_name=role.title(), last_name=slug.title()
        )
        Membership.objects.create(tenant=tenant, user=user, role=role)
    return Place(tenant, create_key(tenant, name="job", at=at).secret)


def _bill(tenant: Tenant, at: datetime) -> None:
    """A statement for the period before."""
    closing(tenant, period_before(tenant, period_at(tenant, at))).save()
    issue_due(at, only=[tenant.pk])


def _costs(at: datetime) -> None:
    """A provider's bill of this month, divided by rules of which one matches nothing."""
    month = month_at(at)
    calls = Metric.objects.get(code="api_calls")
    CostRule.objects.create(name="Calls", service="Compute*", driver=CostRule.Driver.METRIC, metric=calls)
    CostRule.objects.create(name="Old", service="Nothing of ours", driver=CostRule.Driver.SHARED, position=2)
    rows = [TypedRow("Compute Engine", Decimal("310.55")), TypedRow("Support", Decimal("40"))]
    type_bill("Acme Cloud", month.first, rows, author=None, at=at)
    allocate_month(month, at)


def _busy(tenant: Tenant, at: datetime) -> None:
    """Weeks of use of every metric, past what the plan pro includes of calls."""
    for days in range(20):
        use(tenant, "api_calls", 25_100 + 400 * days, at=at - timedelta(days=days), label="GET /books")
    use(tenant, "api_calls", 90_000, at=at, label="POST /orders/<int:number>")
    refuse(tenant, "api_calls", 3, at=at)
    move(tenant, added=41_000 * MB, closing=41_000 * MB, at=at - timedelta(days=2))
    see(tenant, *(f"reader-{number}" for number in range(31)), at=at)
