"""What the friendly 429 page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from tenants.models import Membership, Tenant, User
from tenants.requests import TenantRequest
from usage import units
from usage.quotas import sentences
from usage.quotas.caps import cap_url
from usage.quotas.refusals import Explanation


@dataclass(frozen=True, slots=True)
class QuotaPage:
    """A refusal for a person: sentences, the bar (`fill` and `room` are shares of its width), links, what was sent."""

    state: str
    heading: str
    reason: str
    remedy: str
    back: str  # “They work again on”, empty where waiting does not help
    back_at: str
    back_in: str
    back_iso: str
    name: str
    used: str
    limit: str
    left: str
    fill: str
    room: str  # empty where nothing is left
    has_bar: bool
    owner: User | None
    is_cap: bool
    remedy_url: str
    usage_url: str
    request_id: str
    headers: Mapping[str, str]


def quota_page(request: HttpRequest, refused: Explanation, headers: Mapping[str, str]) -> QuotaPage:
    """The page of one refusal; `headers` are those the answer carries."""
    metric, tenant = refused.metric, refused.decision.tenant
    at = refused.resets_at
    verb = "work" if units.is_plural(metric) else "works"
    request_id = getattr(request, "request_id", "")
    fill = min(100.0, refused.used * 100 / refused.limit) if refused.limit else 100.0
    return QuotaPage(
        state="Not enough left" if refused.left and not refused.is_burst else "At limit",
        heading=sentences.heading(refused),
        reason=_reason(refused),
        remedy=sentences.remedy(refused),
        back=f"{_what_stops(refused)} {verb} again" if at else "",
        back_at=units.moment(at) if at else "",
        back_in=units.span(timedelta(seconds=refused.wait or 0)),
        back_iso=at.isoformat() if at else "",
        name=metric.name,
        used=units.number(metric, refused.used),
        limit=units.number(metric, refused.limit),
        left=units.quantity(metric, refused.left),
        fill=f"{fill:.2f}%",
        room=f"{100 - fill:.2f}%" if refused.left else "",
        has_bar=refused.limit > 0,
        owner=_owner(cast(TenantRequest, request), tenant),
        is_cap=refused.is_cap,
        remedy_url=remedy_url(refused),
        usage_url=reverse("usage:overview", kwargs={"slug": tenant.slug}),
        request_id=request_id,
        headers={**headers, "X-Request-Id": request_id},
    )


def remedy_url(refused: Explanation) -> str:
    """The whole address where more is to be had: the tenant's plans, or its spend cap."""
    tenant = refused.decision.tenant
    if refused.is_cap:
        return cap_url(tenant)
    return f"{settings.BASE_URL}{reverse('usage:plan', kwargs={'slug': tenant.slug})}"


def _reason(refused: Explanation) -> str:
    reason = sentences.reason(refused)
    return f"{reason} {sentences.STAYS}." if refused.is_cap else reason


def _what_stops(refused: Explanation) -> str:
    return sentences.billable(refused).capitalize() if refused.is_cap else sentences.they(refused)


def _owner(request: TenantRequest, tenant: Tenant) -> User | None:
    """Who can change the plan, unless that is who reads this; named only to those who belong to the tenant."""
    reader = request.membership
    if reader is None or reader.role == Membership.Role.OWNER:
        return None
    owners = Membership.objects.filter(tenant=tenant, role=Membership.Role.OWNER, user__is_active=True)
    first = owners.select_related("user").order_by("pk").first()
    return first.user if first else None
