"""What a tenant was told, and whether it arrived."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q, QuerySet, Value
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Allowance
from tenants.models import Tenant
from usage import units
from usage.models import Alert, Delivery
from usage.reports import dates

CHANNELS = {
    "email": gettext_lazy("email"),
    "slack": gettext_lazy("Slack"),
    "webhook": gettext_lazy("webhook"),
}
STAFF_INBOX = "inbox"  # operations' own list: none of the tenant's business
FULL_PERCENT = 100
STOP = Allowance.Beyond.STOP


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert as a list shows it; `code` is the state it is drawn as."""

    code: str
    text: str
    at: datetime
    when: str
    fate: str  # “Sent by email and Slack · webhook waiting”


def recent_alerts(tenant: Tenant, at: datetime, *, most: int) -> tuple[AlertLine, ...]:
    """The newest alerts that were told, with what became of their deliveries; one query."""
    newest = _with_fates(Alert.objects.filter(tenant=tenant, is_sent=True)).order_by("-at", "-pk")[:most]
    return tuple(_line(alert, at) for alert in newest)


def _with_fates(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    return alerts.select_related("metric").annotate(
        **{
            status: ArrayAgg(
                "deliveries__channel",
                filter=Q(deliveries__status=status) & ~Q(deliveries__channel=STAFF_INBOX),
                distinct=True,
                default=Value([]),
            )
            for status in Delivery.Status.values
        }
    )


def _line(alert: Alert, at: datetime) -> AlertLine:
    return AlertLine(code_of(alert), text_of(alert), alert.at, dates.when(alert.at, at), _fate(alert))


def code_of(alert: Alert) -> str:
    """The state an alert is drawn as."""
    goes_on = alert.kind == Alert.Kind.CAP and alert.beyond != STOP and alert.percent >= FULL_PERCENT
    if alert.kind == Alert.Kind.BILLED or goes_on:
        return "over"
    return "full" if alert.kind == Alert.Kind.REFUSED or alert.percent >= FULL_PERCENT else "near"


def text_of(alert: Alert) -> str:
    """What happened, in half a sentence; without amounts of money, which not everybody sees."""
    if alert.metric is None:
        return _text_of_cap(alert)
    names = {
        "metric": alert.metric.name,
        "limit": _("its limit") if alert.limit is None else units.number(alert.metric, alert.limit),
        "percent": alert.percent,
    }
    if alert.kind == Alert.Kind.REFUSED:
        return _("%(metric)s: first refusal this period") % names
    if alert.kind == Alert.Kind.BILLED:
        return _("%(metric)s passed the included %(limit)s") % names
    if alert.percent == FULL_PERCENT:
        return _("%(metric)s reached the limit, %(limit)s") % names
    return _("%(metric)s passed %(percent)s %% of %(limit)s") % names


def _text_of_cap(alert: Alert) -> str:
    if alert.percent < FULL_PERCENT:
        return _("Spending passed %(percent)s %% of the spend cap") % {"percent": alert.percent}
    if alert.beyond == STOP:
        return _("Spend cap reached: billable requests are refused")
    return _("Spend cap reached: use goes on and is billed")


def _fate(alert: Alert) -> str:
    """One half-sentence for each status that occurs."""
    texts = {
        Delivery.Status.SENT: _("Sent by %s"),
        Delivery.Status.WAITING: _("%s waiting"),
        Delivery.Status.DEAD: _("%s given up"),
    }
    parts = [
        text % get_text_list([str(CHANNELS.get(one, one)) for one in channels], _("and"))
        for status, text in texts.items()
        if (channels := getattr(alert, status.value))
    ]
    return " · ".join(parts) or _("Shown here only")
