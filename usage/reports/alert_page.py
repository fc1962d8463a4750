"""What the page of alerts shows: thresholds, people, channels, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.models import Membership, Tenant
from usage.alert_forms import ALL, PERCENTS, ThresholdsForm
from usage.alerts.routes import mailed
from usage.alerts.thresholds import DEFAULT_PERCENTS
from usage.alerts.vault import Shut
from usage.models import AlertChoice, Delivery, Endpoint, Threshold
from usage.reports import dates
from usage.reports.meters import Look, Meter
from usage.reports.readings import reading

STATES = {"working": "ok", "failing": "full", "disabled": "full"}
ICONS = {"slack": "chat", "webhook": "hook"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the thresholds: ticks of the usual percents, own values, and how the metric stands.

    `typed` are own values that could not be read, and `problem` says why.
    """

    code: str
    name: str
    percents: Sequence[int]
    is_like_all: bool
    meter: Meter | None
    typed: str = ""
    problem: str = ""

    @property
    def ticks(self) -> list[tuple[int, bool]]:
        return [(percent, percent in self.percents) for percent in PERCENTS]

    @property
    def own(self) -> str:
        return self.typed or ", ".join(str(percent) for percent in self.percents if percent not in PERCENTS)

    def as_sent(self, form: ThresholdsForm) -> Row:
        """The same as somebody sent it, with what is wrong with it."""
        own = f"own:{self.code}"
        return replace(
            self,
            percents=[percent for percent in PERCENTS if str(percent) in form[f"at:{self.code}"].value()],
            is_like_all=bool(form[f"like:{self.code}"].value()),
            typed=str(form[own].value() or ""),
            problem=" ".join(map(str, form.errors.get(own, ()))),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A member, and whether they get the alerts by mail."""

    id: int
    name: str
    email: str
    role: str
    is_mailed: bool


@dataclass(frozen=True, slots=True)
class Channel:
    """A Slack channel or webhook as the list shows it; `hint` is the end of its secret."""

    id: int
    kind: str
    icon: str
    label: str
    place: str
    hint: str
    rotates: str
    state: Look
    reason: str
    is_webhook: bool


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the banner says of a channel that takes no alerts."""

    channel: int
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """All of it but the log."""

    rows: tuple[Row, ...]
    people: tuple[Person, ...]
    channels: tuple[Channel, ...]
    troubles: tuple[Trouble, ...]
    tells_refusals: bool
    tells_billing: bool
    pause: str

    @property
    def mailed(self) -> str:
        """“3 people”."""
        count = sum(person.is_mailed for person in self.people)
        return (
            ngettext("%d person", "%d people", count) % count if count else _("Nobody: operations are told")
        )


def alert_page(tenant: Tenant, at: datetime, *, sent: ThresholdsForm | None = None) -> AlertPage:
    """The page of `tenant` at `at`; with thresholds that were `sent` and not kept, these."""
    choice = AlertChoice.objects.filter(tenant=tenant).first() or AlertChoice(tenant=tenant)
    endpoints = list(tenant.endpoints.order_by("kind", "pk"))
    is_paused = choice.is_paused(at) and choice.paused_until
    return AlertPage(
        rows=tuple(row.as_sent(sent) if sent else row for row in _rows(tenant, at)),
        people=_people(tenant),
        channels=tuple(_channel(one, at) for one in endpoints),
        troubles=tuple(_trouble(one, at) for one in endpoints if one.state != Endpoint.State.WORKING),
        tells_refusals=sent["tells_refusals"].value() if sent else choice.tells_refusals,
        tells_billing=sent["tells_billing"].value() if sent else choice.tells_billing,
        pause=f"{dates.when(is_paused, at)} {dates.zone_at(is_paused)}" if is_paused else "",
    )


def _rows(tenant: Tenant, at: datetime) -> tuple[Row, ...]:
    """All metrics' row first, then each metric with a limit by its place in the catalogue."""
    found: Mapping[str | None, Sequence[int]] = dict(
        Threshold.objects.filter(tenant=tenant).values_list("metric__code", "percents")
    )
    for_all = found.get(None, DEFAULT_PERCENTS)
    meters = reading(tenant, at, with_money=False).meters
    ordered = sorted((one for one in meters if one.size), key=lambda one: one.metric.position)
    rows = [
        Row(
            one.metric.code,
            one.metric.name,
            found.get(one.metric.code, for_all),
            is_like_all=one.metric.code not in found,
            meter=one,
        )
        for one in ordered
    ]
    return (Row(ALL, _("All metrics"), for_all, is_like_all=False, meter=None), *rows)


def _people(tenant: Tenant) -> tuple[Person, ...]:
    told = Exists(mailed([tenant.pk]).filter(pk=OuterRef("pk")))
    members = Membership.objects.filter(tenant=tenant, user__is_active=True).annotate(is_told=told)
    return tuple(
        Person(one.pk, str(one.user), one.user.email, one.get_role_display(), vars(one)["is_told"])
        for one in members.select_related("user").order_by("user__email")
    )


def _channel(endpoint: Endpoint, at: datetime) -> Channel:
    is_webhook = endpoint.kind == Endpoint.Kind.WEBHOOK
    try:
        place, secrets = endpoint.url if is_webhook else "hooks.slack.com", endpoint.secrets(at)
    except Shut as error:
        place, secrets = str(error), []
    is_rotating = len(secrets) > 1 and endpoint.old_secret_until
    return Channel(
        id=endpoint.pk,
        kind=endpoint.get_kind_display(),
        icon=ICONS[endpoint.kind],
        label=endpoint.label,
        place=place,
        hint=f"whsec_…{secrets[0][-4:]}" if secrets else "",
        rotates=dates.when(is_rotating, at) if is_rotating else "",
        state=Look(STATES[endpoint.state], endpoint.get_state_display()),
        reason=endpoint.reason,
        is_webhook=is_webhook,
    )


def _trouble(endpoint: Endpoint, at: datetime) -> Trouble:
    names = {
        "what": str(endpoint),
        "since": f"{dates.when(endpoint.since, at)} {dates.zone_at(endpoint.since)}",
        "reason": endpoint.reason.rstrip("."),
    }
    if endpoint.is_disabled:
        title = _("%(what)s is disabled since %(since)s.") % names
        return Trouble(
            endpoint.pk, title, _("It answered: %(reason)s. A test that arrives enables it.") % names
        )
    waiting = endpoint.deliveries.filter(status=Delivery.Status.WAITING, channel=endpoint.kind)
    due = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    parts = [_("Its last answer: %(reason)s.") % names]
    if due:
        count = waiting.count()
        parts.append(ngettext("%d message waits", "%d messages wait", count) % count)
        parts[-1] += "; " + _("the next attempt is at %s.") % dates.minute(due)
    parts.append(_("What fails ten times stays in the log, to be sent again."))
    return Trouble(
        endpoint.pk, _("%(what)s has not accepted an alert since %(since)s.") % names, " ".join(parts)
    )
