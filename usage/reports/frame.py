"""What the head of every tenant page says: whose page it is, on which plan, how long the period runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from billing.models import Plan, Subscription
from billing.periods import Period, period_at
from tenants.models import Membership, Tenant, User
from usage.reports import dates


class Place(NamedTuple):
    """A tenant in the menu, and the plan it is on."""

    slug: str
    name: str
    plan: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The tenant of the page, and those its reader may switch to."""

    here: Place
    places: tuple[Place, ...]
    period: Period
    at: datetime

    @property
    def days(self) -> str:
        return dates.days(self.period.first, self.period.last_day)

    @property
    def resets_in(self) -> str:
        return dates.countdown(self.period.ends - self.at)


def frame(user: User, tenant: Tenant, at: datetime) -> Frame:
    """The head of `tenant`'s pages for `user`; one query."""
    # A union and no “or”: for that PostgreSQL would read all tenants there are.
    shown = (
        Tenant.objects.filter(pk=tenant.pk)
        .values("pk")
        .union(Membership.objects.open_to(user).order_by().values("tenant"))
    )
    running = Subscription.objects.running(at).filter(tenant=OuterRef("pk")).values("plan__name")
    default = Plan.objects.filter(slug=settings.HEADROOM_DEFAULT_PLAN).values("name")
    rows = (
        Tenant.objects.filter(pk__in=shown)
        .annotate(plan_name=Coalesce(Subquery(running[:1]), Subquery(default[:1])))
        .order_by("name", "pk")
        .values_list("slug", "name", "plan_name")
    )
    places = tuple(Place(*row) for row in rows)
    here = next((place for place in places if place.slug == tenant.slug), Place(tenant.slug, tenant.name, ""))
    return Frame(here, places, period_at(tenant, at), at)
