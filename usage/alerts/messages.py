"""What an alert says, as it was true when the line was crossed; a channel only lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time

from django.conf import settings
from django.urls import reverse

from billing.models import Metric, Plan
from billing.periods import period_at
from tenants.models import Tenant
from usage import units
from usage.alerts import wording
from usage.models import Alert


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is marked where there is no style sheet: a sign, and the colours of its words and of the bar."""

    sign: str
    word: str
    used: str


LOOKS = {
    "near": Look("△", "#855000", "#48525f"),
    "full": Look("⬣", "#b3231a", "#d23a2f"),
    "over": Look("↗", "#5f3bb5", "#7a55d0"),
}
BAR = 99  # percent of its width for what is used and left; the last one is the limit's mark


@dataclass(frozen=True, slots=True)
class Message:
    """The facts of an alert in words a person reads. `state` is near, full or over."""

    tenant: Tenant
    plan: Plan | None
    metric: Metric
    at: datetime
    state: str
    subject: str
    badge: str
    headline: str
    next: str
    used: str
    limit: str
    left: str
    percent: int | None
    reset: str
    rule: str
    metric_url: str
    plan_url: str
    thread: str

    @property
    def look(self) -> Look:
        return LOOKS[self.state]

    @property
    def sign(self) -> str:
        """Says the state where colours can't."""
        return self.look.sign

    @property
    def tenant_line(self) -> str:
        """“Northwind Labs, Pro”."""
        return f"{self.tenant}, {self.plan}" if self.plan else str(self.tenant)

    @property
    def reason(self) -> str:
        """Why the reader gets this."""
        whom = f"to who gets the alerts of {self.tenant}"
        return f"Sent once per period and limit {whom}; operations hear of what is urgent."

    @property
    def counted(self) -> str:
        """When it was so."""
        return units.moment(self.at)

    @property
    def summary(self) -> str:
        """“800,041 of 1,000,000”."""
        return f"{self.used} of {self.limit}" if self.limit else self.used

    @property
    def bar_used(self) -> int:
        """Percent of the bar's width that is used; never a width of nothing, which mail programs draw as one."""
        return min(BAR, max(1, (self.percent or 0) * BAR // 100))

    @property
    def bar_left(self) -> int:
        return BAR - self.bar_used


def message_of(alert: Alert) -> Message:
    """The message of an alert; reads its tenant, metric and plan."""
    metric, tenant = alert.metric, alert.tenant
    left = None if alert.limit is None else max(0, alert.limit - alert.used)
    period = period_at(tenant, datetime.combine(alert.period, time(), UTC))
    words = wording.Facts(alert, period.ends)
    return Message(
        tenant=tenant,
        plan=alert.plan,
        metric=metric,
        at=alert.at,
        state=wording.state(words),
        subject=" ".join(f"{wording.topic(words)} for {tenant}".split()),  # a header is one line
        badge=wording.badge(words),
        headline=wording.headline(words),
        next=wording.consequence(words),
        used=units.number(metric, alert.used),
        limit="" if alert.limit is None else units.number(metric, alert.limit),
        left="" if left is None else units.number(metric, left),
        percent=words.reached,
        reset=wording.reset(words),
        rule=wording.rule(words),
        metric_url=settings.BASE_URL + reverse("usage:metric", args=[tenant.slug, metric.code]),
        plan_url=settings.BASE_URL + reverse("usage:plan", args=[tenant.slug]),
        thread=f"{tenant.pk}.{metric.code}.{alert.period}",
    )
