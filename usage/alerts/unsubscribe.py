"""Lets a person stop their own alert mail of a tenant from the mail itself, without signing in."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature, dumps, loads
from django.urls import reverse

from tenants.models import Membership
from usage.alerts.routes import mailed
from usage.endpoints import MailChoice
from usage.models import Delivery

SALT = "usage.alerts.unsubscribe"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who holds a link of a mail: a member of the tenant; whether they get its mail, and whether nobody else does."""

    membership: Membership
    is_mailed: bool
    is_last: bool

    @property
    def is_stopped(self) -> bool:
        return not self.is_mailed


def stop_url(delivery: Delivery) -> str:
    """Where its receiver stops the tenant's mail; empty for who is no member: operations."""
    if delivery.tenant_id is None:
        return ""
    rows = mailed([delivery.tenant_id]).filter(user__email__iexact=delivery.target)
    membership = rows.values_list("tenant_id", "user_id").first()
    if membership is None:
        return ""
    return settings.BASE_URL + reverse("usage:stop_mail", args=[dumps(list(membership), salt=SALT)])


def reader_of(token: str) -> Reader | None:
    """Who holds this link; none where it is not ours, or they are no member any more."""
    try:
        tenant_id, user_id = loads(token, salt=SALT)
    except (BadSignature, ValueError, TypeError):
        return None
    members = Membership.objects.filter(tenant=tenant_id, user=user_id)
    membership = members.select_related("tenant", "user").first()
    if membership is None:
        return None
    told = list(mailed([tenant_id]).values_list("user_id", flat=True))
    return Reader(membership, user_id in told, is_last=told == [user_id])


def choose_mail(membership: Membership, *, is_wanted: bool) -> None:
    """Whether this member gets the tenant's alerts by mail, whatever their role."""
    MailChoice.objects.update_or_create(
        tenant=membership.tenant, user=membership.user, defaults={"is_wanted": is_wanted}
    )
