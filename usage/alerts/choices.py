"""What a tenant chose to be told: at which percents, of what else, and which of its people by mail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from billing.models import Metric
from tenants.models import Membership, Tenant
from usage.alerts.routes import mailed
from usage.models import Alert, AlertChoice, MailChoice, Threshold


@transaction.atomic
def choose_thresholds(tenant: Tenant, wanted: Mapping[Metric | None, Sequence[int] | None]) -> None:
    """Whole percents by metric; none of its own where a metric goes like all, which is the key None."""
    Threshold.objects.filter(tenant=tenant, metric__in=[one for one in wanted if one]).delete()
    for metric, percents in wanted.items():
        if percents is not None:
            Threshold.objects.update_or_create(
                tenant=tenant, metric=metric, defaults={"percents": sorted(set(percents))}
            )


def choose_kinds(tenant: Tenant, *, refusals: bool, billing: bool) -> None:
    """Whether to hear of the first refusal of a period, and of the moment billing begins."""
    AlertChoice.objects.update_or_create(
        tenant=tenant, defaults={"tells_refusals": refusals, "tells_billing": billing}
    )


@transaction.atomic
def choose_people(tenant: Tenant, members: Collection[int]) -> None:
    """Mail the alerts to these members (their ids) and to no others."""
    told = set(mailed([tenant.pk]).values_list("pk", flat=True))
    for membership in Membership.objects.filter(tenant=tenant):
        is_wanted = membership.pk in members
        if is_wanted != (membership.pk in told):
            MailChoice.objects.update_or_create(
                tenant=tenant, user_id=membership.user_id, defaults={"is_wanted": is_wanted}
            )


def choices_of(tenant_ids: Collection[int]) -> dict[int, AlertChoice]:
    """What tenants chose; who is missing chose nothing."""
    return AlertChoice.objects.in_bulk(tenant_ids)


def is_told(choice: AlertChoice | None, kind: str, at: datetime) -> bool:
    """Whether an alert of this kind is sent at `at`, or only listed."""
    if choice is None:
        return True
    wanted = {Alert.Kind.REFUSED.value: choice.tells_refusals, Alert.Kind.BILLED.value: choice.tells_billing}
    return wanted.get(kind, True) and not choice.is_paused(at)
