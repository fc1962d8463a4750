"""Who hears of an alert, and through which channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from tenants.models import Membership, User
from usage.endpoints import Endpoint, MailChoice
from usage.models import Alert

EMAIL, INBOX = "email", "inbox"
SLACK, WEBHOOK = Endpoint.Kind.SLACK.value, Endpoint.Kind.WEBHOOK.value
STAFF = "staff"  # whose inbox: all of operations share one
LOUD_PERCENT = 95  # from here on Slack is told, too
QUIET = (Alert.Kind.THRESHOLD, Alert.Kind.CAP)  # below that


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """One receiver: a channel, and an address that means something to it; an endpoint's id where it is one.

    Of what is told to operations the tenant's log says nothing.
    """

    channel: str
    target: str
    endpoint: int = 0
    is_operations: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Receivers:
    """The people and endpoints behind the routes of some tenants."""

    mail: dict[int, list[Route]]
    money_mail: dict[int, list[Route]]  # without those who see no money
    endpoints: dict[int, list[Route]]
    operations_mail: list[Route]
    operations_slack: list[Route]

    def of(self, alert: Alert, *, is_urgent: bool) -> list[Route]:
        """All who are to hear of an alert: see the design's “Telling”."""
        is_loud = alert.kind not in QUIET or alert.percent >= LOUD_PERCENT
        mail = (self.money_mail if alert.kind == Alert.Kind.CAP else self.mail).get(alert.tenant_id, [])
        routes = {*mail, *self._called(alert.tenant_id, is_loud=is_loud)}
        if is_urgent or not mail:  # a tenant that nobody hears for is operations' business
            routes |= {Route(INBOX, STAFF, is_operations=True), *self.operations_mail}
        if is_urgent or (is_loud and alert.kind != Alert.Kind.BILLED):
            routes |= {*self.operations_slack}
        return sorted(routes)

    def mail_of(self, tenant_id: int) -> list[Route]:
        """Who gets the tenant's mail; operations where nobody does."""
        return self.mail.get(tenant_id) or self.operations_mail

    def _called(self, tenant_id: int, *, is_loud: bool) -> list[Route]:
        """Programs hear of everything, a Slack channel of what is loud."""
        return [one for one in self.endpoints.get(tenant_id, []) if is_loud or one.channel == WEBHOOK]


def receivers(tenant_ids: Iterable[int], at: datetime) -> Receivers:
    """Receivers for the alerts of these tenants; the number of queries does not grow with them."""
    ids = list(tenant_ids)
    mail, money_mail, endpoints = defaultdict(list), defaultdict(list), defaultdict(list)
    for member in mailed(ids).select_related("user"):
        route = Route(EMAIL, member.user.email.lower())
        mail[member.tenant_id].append(route)
        if member.sees_money:
            money_mail[member.tenant_id].append(route)
    rows = Endpoint.objects.filter(tenant__in=ids).exclude(state=Endpoint.State.DISABLED)
    for tenant_id, kind, label, pk in rows.values_list("tenant_id", "kind", "label", "pk"):
        endpoints[tenant_id].append(Route(kind, label, pk))
    staff = User.objects.filter(is_staff=True, is_active=True).values_list("email", flat=True)
    mailboxes = settings.HEADROOM_OPS_EMAIL or staff
    operations = [Route(EMAIL, email.lower(), is_operations=True) for email in mailboxes]
    return Receivers(dict(mail), dict(money_mail), dict(endpoints), operations, _operations_slack(at))


def mailed(tenant_ids: Iterable[int]) -> QuerySet[Membership]:
    """The members who get their tenant's alerts by mail: owners, unless they chose otherwise."""
    choices = MailChoice.objects.filter(tenant=OuterRef("tenant"), user=OuterRef("user"))
    wants, refuses = Exists(choices.filter(is_wanted=True)), Exists(choices.filter(is_wanted=False))
    rows = Membership.objects.filter(tenant__in=list(tenant_ids), user__is_active=True)
    return rows.filter(Q(wants) | (Q(role=Membership.Role.OWNER) & ~Q(refuses)))


def operations_endpoint(at: datetime) -> Endpoint | None:
    """The row of operations' Slack channel, made where there is none yet; none where no address is set."""
    if not settings.HEADROOM_OPS_SLACK_URL:
        return None
    made = {"label": "operations", "since": at, "created_at": at}
    endpoint, _ = Endpoint.objects.get_or_create(tenant=None, kind=SLACK, defaults=made)
    return endpoint


def _operations_slack(at: datetime) -> list[Route]:
    endpoint = operations_endpoint(at)
    if endpoint is None or endpoint.is_disabled:
        return []
    return [Route(SLACK, endpoint.label, endpoint.pk, is_operations=True)]
