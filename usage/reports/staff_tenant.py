"""What the staff page of one tenant shows: who it is, how it stands, what it was given, keys, people, last acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from tenants.models import ApiKey, Membership, Tenant
from usage.reports import dates
from usage.reports.acts import Act, last_acts
from usage.reports.key_page import KeyLine, key_line
from usage.reports.member_page import BY_RANK
from usage.reports.meters import Look, Meter
from usage.reports.readings import meters_of
from usage.reports.tenant_rights import Rights, rights

MOST_PEOPLE = 20
MOST_ACTS = 10


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the tenant."""

    email: str
    name: str
    role: str
    seen: str
    is_owner: bool
    is_active: bool


@dataclass(frozen=True, slots=True)
class TenantPage:
    """All of it; `has_more_people` than are shown."""

    tenant: Tenant
    at: datetime
    rights: Rights
    meters: tuple[Meter, ...]
    is_live: bool
    keys: tuple[KeyLine, ...]
    people: tuple[Person, ...]
    has_more_people: bool
    acts: tuple[Act, ...]

    @property
    def look(self) -> Look:
        codes = {Tenant.Status.ACTIVE: "ok", Tenant.Status.SUSPENDED: "near", Tenant.Status.CLOSED: "full"}
        return Look(codes[Tenant.Status(self.tenant.status)], self.tenant.get_status_display())

    @property
    def plan(self) -> str:
        return self.rights.plan.name if self.rights.plan else "–"

    @property
    def period(self) -> str:
        """“1–30 Nov 2026 · resets in 7 d 10 h (UTC)”."""
        period = self.rights.period
        days = dates.days(period.first, period.last_day)
        facts = {"days": days, "left": dates.countdown(period.ends - self.at)}
        return _("%(days)s · resets in %(left)s (UTC)") % facts

    @property
    def created(self) -> str:
        return dates.day(self.tenant.created_at)

    @property
    def owners(self) -> tuple[Person, ...]:
        """Who can decide for it: owners who can sign in."""
        return tuple(one for one in self.people if one.is_owner and one.is_active)


def staff_tenant(slug: str, at: datetime) -> TenantPage:
    """The tenant of this slug, also a closed one; nine queries. Raises Http404."""
    tenant = get_object_or_404(Tenant, slug=slug)
    found = rights(tenant, at)
    meters, is_live = meters_of(found.entitlements, at) if found.entitlements else ((), False)
    keys = ApiKey.objects.filter(tenant=tenant).live(at).select_related("created_by")
    people = tenant.memberships.select_related("user").order_by(BY_RANK, "user__email")[: MOST_PEOPLE + 1]
    shown = [_person(one, at) for one in people]
    return TenantPage(
        tenant=tenant,
        at=at,
        rights=found,
        meters=meters,
        is_live=is_live,
        keys=tuple(key_line(key, at, for_staff=True) for key in keys.order_by("-created_at", "-pk")),
        people=tuple(shown[:MOST_PEOPLE]),
        has_more_people=len(shown) > MOST_PEOPLE,
        acts=last_acts(tenant, at, most=MOST_ACTS),
    )


def _person(one: Membership, at: datetime) -> Person:
    return Person(
        email=one.user.email,
        name=one.user.get_full_name(),
        role=one.get_role_display(),
        seen=dates.when(one.user.last_login, at) if one.user.last_login else _("never"),
        is_owner=one.role == Membership.Role.OWNER,
        is_active=one.user.is_active,
    )
