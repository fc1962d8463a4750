"""What the staff page of one tenant shows: who it is, how it stands, what it was given, keys, people, last acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.shortcuts import get_object_or_404

from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class TenantPage:
    """All of it."""

    tenant: Tenant
    at: datetime


def staff_tenant(slug: str, at: datetime) -> TenantPage:
    """The tenant of this slug, also a closed one. Raises Http404."""
    return TenantPage(get_object_or_404(Tenant, slug=slug), at)
