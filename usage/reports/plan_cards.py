"""The plans beside each other: what each includes, what it costs, whether present use fits, and what one can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.dateformat import format as written
from django.utils.translation import gettext as _

from billing.courses import Course, size_of
from billing.entitlements import Entitlements, Limit
from billing.models import Allowance, Plan
from billing.periods import Period
from billing.pricing import Bill, price_of
from usage import units
from usage.reports import dates
from usage.reports.deciding import Say
from usage.reports.fits import Fit, fit_of
from usage.reports.meters import Meter
from usage.reports.money import money, prices, whole_money
from usage.reports.readings import Reading


@dataclass(frozen=True, slots=True)
class Included:
    """One metric on a plan's card."""

    name: str
    amount: str
    then: str


@dataclass(frozen=True, slots=True)
class Act:
    """The button of a card: what it does and says; `is_open` is false where it only says how things are."""

    does: str  # “switch” or “ask”; empty where it does nothing
    label: str

    @property
    def is_open(self) -> bool:
        return bool(self.does)


@dataclass(frozen=True, slots=True)
class PlanCard:
    """A plan beside the others. `price` is empty for those who see no money; `asked_by` for whom it is no news."""

    plan: Plan
    is_current: bool
    is_asked: bool
    asked_by: str
    is_suggested: bool
    price: str
    price_note: str
    included: tuple[Included, ...]
    meters: tuple[Meter, ...]
    fit: Fit
    act: Act | None


@dataclass(frozen=True, slots=True)
class Table:
    """What all cards are made by: present use, where the plan goes, who waits for which plan, who reads."""

    now: Reading
    course: Course
    asked: Mapping[int | None, str]  # who asks, by plan id
    say: Say


def plan_card(table: Table, offer: Entitlements, cost: Bill | None) -> PlanCard:
    """`cost`: of the present period if the tenant switched to the plan now; none for those who see no money."""
    now, plan = table.now, offer.plan
    is_current, is_asked = plan.pk == now.plan.pk, plan.pk in table.asked
    there = now.meters if is_current else tuple(sorted(meters_on(now, offer), key=lambda meter: meter.risk))
    fit = fit_of(now.meters, there, is_current=is_current)
    return PlanCard(
        plan=plan,
        is_current=is_current,
        is_asked=is_asked,
        asked_by=table.asked[plan.pk] if is_asked and table.say.may_switch and not is_current else "",
        is_suggested=False,
        price=whole_money(plan.base_fee) if cost else "",
        price_note=_price_note(table, plan, cost, fit) if cost else "",
        included=tuple(_included(limit, cost is not None) for limit in offer.limits.values()),
        meters=there,
        fit=fit,
        act=_act(table, plan),
    )


def meters_on(now: Reading, offer: Entitlements) -> Iterator[Meter]:
    """The same use, and what is expected of it, measured against another plan."""
    known = {meter.metric.pk: meter for meter in now.meters}
    for limit in offer.limits.values():
        here, price = known.get(limit.metric.pk), price_of(limit.allowance, limit.included)
        used, expected = (here.used, here.forecast) if here else (0, None)
        yield Meter(limit.metric, limit, price, used, now.period, now.at, (), 0, None, expected)


def in_period(period: Period) -> str:
    """“in November”; a period that is no calendar month is “this period”."""
    month = _("in %(month)s") % {"month": written(period.first, "F")}
    return month if period.first.day == 1 else _("this period")


def _act(table: Table, plan: Plan) -> Act | None:
    planned, say = table.course.scheduled, table.say
    if plan.pk == table.course.plan.pk:
        return Act("", _("Your plan"))
    if planned and planned.plan.pk == plan.pk:
        return Act("", _("Begins on %(day)s") % {"day": dates.short(planned.begins.date())})
    if say.may_switch and plan.is_public:
        change = table.course.changed_to(plan)
        later = _("Switch on %(day)s") % {"day": dates.short(change.begins.date())}
        return Act("switch", _("Switch now") if change.is_at_once else later)
    if plan.pk in table.asked:
        return Act("", _("Asked, waiting"))
    return Act("ask", _("Ask for this plan")) if say.may_ask and plan.is_public else None


def _price_note(table: Table, plan: Plan, cost: Bill, fit: Fit) -> str:
    """What the period costs on it, where the fee does not say it."""
    here = table.course.plan
    if cost.overage and size_of(plan) <= size_of(here):
        return _("%(total)s with present use") % {"total": money(cost.total)}
    if not cost.total:
        return _("no charge")
    if size_of(plan) >= size_of(here):
        return f"{money(cost.total)} {in_period(table.now.period)}"
    return _("present use is included") if fit.is_fitting else ""


def _included(limit: Limit, with_money: bool) -> Included:
    """What a plan gives of a metric, and what happens then."""
    metric, price = limit.metric, price_of(limit.allowance, limit.included)
    if limit.included is None:
        return Included(metric.name, _("Unlimited"), "")
    amount = units.number(metric, limit.included)
    if limit.allowance.beyond == Allowance.Beyond.STOP:
        return Included(metric.name, amount, _("then stops"))
    if limit.allowance.beyond == Allowance.Beyond.NOTIFY:
        return Included(metric.name, amount, _("then goes on"))
    if price.tiers and not with_money:
        return Included(metric.name, amount, _("then billed"))
    return Included(metric.name, amount, _("then %(price)s") % {"price": prices(metric, price)})
