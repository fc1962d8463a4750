"""The amount of a spend cap for the sentences of a refusal, remembered for seconds: clients go on asking."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.urls import reverse

from billing.caps import Caps, caps_of
from tenants.memory import Memory
from tenants.models import Tenant
from tenants.requests import TenantRequest

SIZE = 10_000


def cap_amount(request: TenantRequest, tenant: Tenant, at: datetime) -> Decimal | None:
    """At which amount the tenant's billed use stops; None for who sees no money, and where nobody can tell now."""
    if request.api_key is None and not request.sees_money:
        return None
    try:
        caps = _remembered.get(tenant.pk, at)
    except (OperationalError, InterfaceError):  # the refusal stands, it only can't name the amount
        return None
    return caps.stop if caps else None


def cap_url(tenant: Tenant) -> str:
    """The whole address of the tenant's spend cap."""
    return f"{settings.BASE_URL}{reverse('usage:cost', kwargs={'slug': tenant.slug})}#cap"


def _read(tenant_id: int) -> Caps | None:
    return caps_of([tenant_id]).get(tenant_id)


_remembered: Memory[int, Caps] = Memory(_read, SIZE)
