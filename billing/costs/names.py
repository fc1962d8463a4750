"""Finds the tenants that bills name: by alias, slug or id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models.functions import Lower

from billing.models import CostAlias
from tenants.models import Tenant

LONGEST_ID = 18  # digits; a longer number is no id


def tenants_named(names: Iterable[str]) -> Mapping[str, int]:
    """Tenant ids by those of `names` that somebody has, whatever their case; an alias counts before a slug or id.

    Three queries.
    """
    wanted: dict[str, list[str]] = {}
    for name in set(names):
        wanted.setdefault(name.strip().lower(), []).append(name)
    numbers = {int(key): key for key in wanted if key.isdecimal() and len(key) <= LONGEST_ID}
    aliases = CostAlias.objects.annotate(key=Lower("value")).filter(key__in=list(wanted))
    found = {
        **{
            numbers[pk]: pk for pk in Tenant.objects.filter(pk__in=list(numbers)).values_list("pk", flat=True)
        },
        **dict(Tenant.objects.filter(slug__in=list(wanted)).values_list("slug", "pk")),
        **dict(aliases.values_list("key", "tenant_id")),
    }
    return {name: pk for key, pk in found.items() for name in wanted[key]}
