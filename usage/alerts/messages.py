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
from usage.alerts import cap_wording, wording
from usage.alerts.cap_wording import CapFacts
from usage.amounts import money
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
    """The facts of an alert in words a person reads. `state` is near, full or over.

    `name` is what is used up: a metric's, or that of a spend cap, which has no metric. `url` leads to its page.
    """

    tenant: Tenant
    plan: Plan | None
    metric: Metric | None
    name: str
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
    url: str
    link: str
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
    period = period_at(alert.tenant, datetime.combine(alert.period, time(), UTC))
    if alert.metric is None:
        return _of_cap(CapFacts(alert, period.ends))
    return _of_metric(wording.Facts(alert, alert.metric, period.ends))


def _of_metric(words: wording.Facts) -> Message:
    alert, metric, tenant = words.alert, words.metric, words.alert.tenant
    left = None if alert.limit is None else max(0, alert.limit - alert.used)
    return Message(
        tenant=tenant,
        plan=alert.plan,
        metric=metric,
        name=str(metric),
        at=alert.at,
        state=wording.state(words),
        subject=_subject(wording.topic(words), tenant),
        badge=wording.badge(words),
        headline=wording.headline(words),
        next=wording.consequence(words),
        used=units.number(metric, alert.used),
        limit="" if alert.limit is None else units.number(metric, alert.limit),
        left="" if left is None else units.number(metric, left),
        percent=words.reached,
        reset=wording.reset(words),
        rule=wording.rule(words),
        url=settings.BASE_URL + reverse("usage:metric", args=[tenant.slug, metric.code]),
        link=f"See {metric}",
        plan_url=_plans(tenant),
        thread=f"{tenant.pk}.{metric.code}.{alert.period}",
    )


def _of_cap(words: CapFacts) -> Message:
    alert, tenant = words.alert, words.alert.tenant
    return Message(
        tenant=tenant,
        plan=alert.plan,
        metric=None,
        name=cap_wording.NAME,
        at=alert.at,
        state=cap_wording.state(words),
        subject=_subject(cap_wording.topic(words), tenant),
        badge=cap_wording.badge(words),
        headline=cap_wording.headline(words),
        next=cap_wording.consequence(words),
        used=money(words.spent),
        limit=money(words.amount),
        left=money(words.left),
        percent=words.percent,
        reset=words.until,
        rule=cap_wording.rule(words),
        url=f"{settings.BASE_URL}{reverse('usage:cost', args=[tenant.slug])}#cap",
        link="See the spend cap",
        plan_url=_plans(tenant),
        thread=f"{tenant.pk}.cap.{alert.period}",
    )


def _subject(topic: str, tenant: Tenant) -> str:
    """On one line: it is a header."""
    return " ".join(f"{topic} for {tenant}".split())


def _plans(tenant: Tenant) -> str:
    return settings.BASE_URL + reverse("usage:plan", args=[tenant.slug])
