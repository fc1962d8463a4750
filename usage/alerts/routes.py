"""Who hears of an alert, and through which channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from tenants.models import Membership, User

EMAIL, INBOX = "email", "inbox"
STAFF = "staff"  # whose inbox: all of operations share one


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """One receiver: a channel, and an address that means something to it."""

    channel: str
    target: str


@dataclass(frozen=True, slots=True)
class Receivers:
    """The people behind the routes of some tenants."""

    owners: dict[int, list[Route]]
    operations: list[Route]

    def of(self, tenant_id: int, *, is_urgent: bool) -> list[Route]:
        """Owners always; operations where it is urgent, or where the tenant has no owner who would hear."""
        owners = self.owners.get(tenant_id, [])
        return sorted({*owners, *(self.operations if is_urgent or not owners else [])})


def receivers(tenant_ids: Iterable[int]) -> Receivers:
    """Receivers for the alerts of these tenants, in two queries."""
    owners = defaultdict(list)
    rows = Membership.objects.filter(tenant__in=tenant_ids, role=Membership.Role.OWNER, user__is_active=True)
    for tenant_id, email in rows.values_list("tenant_id", "user__email"):
        owners[tenant_id].append(Route(EMAIL, email.lower()))
    staff = User.objects.filter(is_staff=True, is_active=True).values_list("email", flat=True)
    mailboxes = settings.HEADROOM_OPS_EMAIL or staff
    operations = [Route(INBOX, STAFF), *(Route(EMAIL, email.lower()) for email in mailboxes)]
    return Receivers(dict(owners), operations)
