"""Changes a tenant's name and the zone its people read times in, and a person's own zone."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from tenants.audit import Action, record
from tenants.models import Tenant, User


@transaction.atomic
def describe(tenant: Tenant, *, name: str, time_zone: str, by: User, at: datetime) -> None:
    """Give the tenant a name and a zone; addresses keep its slug, periods stay UTC."""
    row = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    was, row.name, row.time_zone = row.name, name, time_zone
    row.save(update_fields=["name", "time_zone"])
    if name != was:
        record(row, Action.RENAMED, actor=by, at=at, name=name, was=was)


def choose_zone(person: User, time_zone: str) -> None:
    """The zone in which a person reads times, in every tenant; empty for that of each."""
    person.time_zone = time_zone
    person.save(update_fields=["time_zone"])
