"""What changes by itself soon: the plan that was scheduled, and grants that end within a week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from billing.contracts import Contracts
from billing.courses import Course, Scheduled, course_by
from billing.models import Metric, Override
from tenants.models import Tenant
from usage import units
from usage.reports.people import name_of


@dataclass(frozen=True, slots=True)
class Planned:
    """The scheduled change: what, by whom and why; `mark` names what is withdrawn."""

    title: str
    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Ending:
    """A grant that ends soon, and what is included then."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Coming:
    """What a tenant's pages say of the days ahead; usually nothing."""

    planned: Planned | None
    endings: tuple[Ending, ...]


def coming(contracts: Contracts, tenant: Tenant, at: datetime, *, for_staff: bool) -> Coming:
    """What is scheduled and what ends soon; no query while nothing is scheduled, else one for who did it."""
    return coming_on(course_by(contracts, tenant, at), contracts, for_staff=for_staff)


def coming_on(course: Course, contracts: Contracts, *, for_staff: bool) -> Coming:
    """The same where the course is known."""
    planned = course.scheduled
    endings = [_ending(one, contracts, course) for one in contracts.ending(course.tenant, course.at)]
    return Coming(
        _planned(planned, course.at, for_staff=for_staff) if planned else None,
        tuple(one for one in endings if one),
    )


def day_of(moment: datetime, at: datetime) -> str:
    """“1 December, 00:00 UTC”; with the year where that is not the one of `at`."""
    moment = moment.astimezone(UTC)
    year = "" if moment.year == at.astimezone(UTC).year else f" {moment.year}"
    return f"{units.day(moment.date())}{year}, {moment:%H:%M} UTC"


def _planned(planned: Scheduled, at: datetime, *, for_staff: bool) -> Planned:
    facts = {
        "plan": planned.plan.name,
        "before": planned.before.name,
        "day": day_of(planned.begins, at),
        "name": name_of(planned.author, for_staff=for_staff),
        "reason": planned.reason,
    }
    begins = _("%(plan)s begins on %(day)s.")
    ends = _("%(before)s ends on %(day)s, then %(plan)s holds.")
    until = _("Until then %(before)s and its limits go on.")
    text = " ".join(part for part in (until, _who(facts["name"], planned.reason)) if part)
    return Planned((ends if planned.is_end else begins) % facts, text % facts, planned.mark)


def _who(name: str, reason: str) -> str:
    """Who scheduled it and why, as far as that is known."""
    if name and reason:
        return _("By %(name)s: “%(reason)s”.")
    if name:
        return _("By %(name)s.")
    return _("“%(reason)s”.") if reason else ""


def _ending(given: Override, contracts: Contracts, course: Course) -> Ending | None:
    """None where the plan knows no such metric, so that the grant gives nothing."""
    assert given.ends is not None
    limits = contracts.entitlements(course.tenant, given.ends).limits
    found = next((limit for limit in limits.values() if limit.metric.pk == given.metric_id), None)
    if found is None:
        return None
    what, verb = _words(given, found.metric)
    title = _("Your %(what)s %(verb)s on %(day)s.")
    facts = {"what": what, "verb": verb, "day": day_of(given.ends, course.at)}
    return Ending(title % facts, _then(found.metric, found.included))


def _words(given: Override, metric: Metric) -> tuple[str, str]:
    """What was given, and the verb it takes."""
    if given.units is None:
        many = units.is_plural(metric)
        return _("unlimited %(name)s") % {"name": units.name(metric)}, _("end") if many else _("ends")
    amount = units.of_quantity(metric, given.units)
    if given.mode == Override.Mode.SET:
        return _("own amount of %(amount)s") % {"amount": amount}, _("ends")
    is_one = metric.unit == Metric.Unit.BYTES or given.units == 1
    return _("extra %(amount)s") % {"amount": amount}, _("ends") if is_one else _("end")


def _then(metric: Metric, included: int | None) -> str:
    if included is None:
        return _("From then on nothing limits it.")
    return _("From then on you have %(amount)s.") % {"amount": units.of_quantity(metric, included)}
