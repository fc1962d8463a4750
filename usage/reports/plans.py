"""The plans side by side: what each includes, what it costs, and whether present use fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from billing.entitlements import Limit
from billing.models import Allowance, Plan
from billing.pricing import estimate, price_of
from tenants.models import Membership, Tenant
from usage import units
from usage.models import Notice
from usage.reports import dates
from usage.reports.fits import Fit, fit_of
from usage.reports.meters import Look, Meter
from usage.reports.money import money, prices, whole_money
from usage.reports.readings import Reading, reading


@dataclass(frozen=True, slots=True)
class Included:
    """One metric on a plan's card."""

    name: str
    amount: str
    then: str


@dataclass(frozen=True, slots=True)
class PlanCard:
    """A plan beside the others. `price` is empty for those who see no money."""

    plan: Plan
    is_current: bool
    is_asked: bool
    is_suggested: bool
    price: str
    price_note: str
    included: tuple[Included, ...]
    meters: tuple[Meter, ...]
    fit: Fit


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What the plan page shows; `pairs` are each metric's meters on the present and on the suggested plan."""

    tenant: Tenant
    plan: Plan
    look: Look
    title: str
    reason: str
    cards: tuple[PlanCard, ...]
    suggested: Plan | None
    pairs: tuple[tuple[Meter, Meter], ...]
    days: str
    currency: str  # empty for those who see no money


def plan_report(tenant: Tenant, at: datetime, *, with_money: bool) -> PlanReport:
    """All plans on offer, and the tenant's own, measured against what it uses now."""
    read = reading(tenant, at, with_money=with_money)
    cards = [_card(read, plan, rows, with_money) for plan, rows in _offers(tenant, read.plan)]
    now = read.meters[0].look if read.meters else cards[0].fit.look
    best = _best(cards)
    return PlanReport(
        tenant=tenant,
        plan=read.plan,
        look=now,
        title=_title(read, best.plan if best else None),
        reason=_reason(read),
        cards=tuple(replace(card, is_suggested=card is best) for card in cards),
        suggested=best.plan if best else None,
        pairs=tuple(_pairs(read, best)) if best else (),
        days=dates.days(read.period.first, at.date()),
        currency=settings.HEADROOM_CURRENCY if with_money else "",
    )


def on_offer(current: Plan) -> Q:
    """Allowances of public plans, and of the tenant's own even where that is not public."""
    return Q(plan__is_public=True) | Q(plan=current)


def who_decides(tenant: Tenant) -> list[str]:
    """Names of those who may ask for a plan."""
    people = Membership.objects.filter(tenant=tenant, user__is_active=True).exclude(
        role=Membership.Role.VIEWER
    )
    return [str(one.user) for one in people.select_related("user").order_by("-role", "pk")]


def _offers(tenant: Tenant, current: Plan) -> list[tuple[Plan, list[Allowance]]]:
    """Each plan with its allowances, in the order of the price list; two queries."""
    asked = Notice.objects.filter(tenant=tenant, kind=Notice.Kind.PLAN, seen_at=None, plan=OuterRef("plan"))
    rows = (
        Allowance.objects.filter(on_offer(current))
        .select_related("plan", "metric")
        .prefetch_related("tiers")
        .annotate(is_asked=Exists(asked))
        .order_by("plan__position", "plan__base_fee", "plan_id", "metric__position", "metric__code")
    )
    return [(plan, list(group)) for plan, group in groupby(rows, key=lambda row: row.plan)]


def _card(read: Reading, plan: Plan, rows: Sequence[Allowance], with_money: bool) -> PlanCard:
    is_current = plan.pk == read.plan.pk
    there = read.meters if is_current else tuple(sorted(_meters(read, rows), key=lambda meter: meter.risk))
    fit = fit_of(read.meters, there, is_current=is_current)
    return PlanCard(
        plan=plan,
        is_current=is_current,
        is_asked=any(getattr(row, "is_asked", False) for row in rows),
        is_suggested=False,
        price=whole_money(plan.base_fee) if with_money else "",
        price_note=_price_note(plan, there, fit) if with_money else "",
        included=tuple(_included(row, with_money) for row in rows),
        meters=there,
        fit=fit,
    )


def _price_note(plan: Plan, there: Sequence[Meter], fit: Fit) -> str:
    """What a whole month of present use would cost, where that is not the fee alone."""
    total = estimate(
        plan.base_fee,
        {meter.metric.code: meter.price for meter in there},
        {meter.metric.code: meter.used for meter in there},
    ).total
    if total > plan.base_fee:
        return _("%(total)s with present use") % {"total": money(total)}
    if not total:
        return _("no charge")
    return _("present use is included") if fit.is_fitting else ""


def _meters(read: Reading, rows: Sequence[Allowance]) -> Iterator[Meter]:
    """The same use, measured against another plan's allowances."""
    used = {meter.metric.pk: meter for meter in read.meters}
    for row in rows:
        now = used.get(row.metric_id)
        limit = Limit(row.metric, row, row.included, row.hard_limit)
        price = price_of(row, row.included)
        yield Meter(row.metric, limit, price, now.used if now else 0, read.period, read.at, (), 0, None)


def _included(row: Allowance, with_money: bool) -> Included:
    """What a plan gives of a metric, and what happens then."""
    if row.included is None:
        return Included(row.metric.name, _("Unlimited"), "")
    amount = units.number(row.metric, row.included)
    if row.beyond == Allowance.Beyond.STOP:
        return Included(row.metric.name, amount, _("then stops"))
    if row.beyond == Allowance.Beyond.NOTIFY:
        return Included(row.metric.name, amount, _("then goes on"))
    price = price_of(row, row.included)
    if price.tiers and not with_money:
        return Included(row.metric.name, amount, _("then billed"))
    return Included(row.metric.name, amount, _("then %(price)s") % {"price": prices(row.metric, price)})


def _best(cards: Sequence[PlanCard]) -> PlanCard | None:
    """The first plan that fits where the present one does not."""
    if any(card.is_current and card.fit.is_fitting for card in cards):
        return None
    return next((card for card in cards if card.fit.is_fitting and not card.is_current), None)


def _pairs(read: Reading, best: PlanCard) -> Iterator[tuple[Meter, Meter]]:
    there = {meter.metric.pk: meter for meter in best.meters}
    for meter in sorted(read.meters, key=lambda one: one.metric.position):
        if meter.metric.pk in there:
            yield meter, there[meter.metric.pk]


def _title(read: Reading, best: Plan | None) -> str:
    worst = read.meters[0] if read.meters else None
    facts = {"plan": read.plan.name, "best": best.name if best else ""}
    if worst is None or worst.is_ok:
        return _("%(plan)s fits what is used now.") % facts
    if best and worst.is_full:
        verb = _("go on today.") if units.is_plural(worst.metric) else _("goes on today.")
        return _("With %(best)s, %(name)s ") % {**facts, "name": worst.name} + verb
    if best:
        return _("With %(best)s, there is room again.") % facts
    return _("No plan on offer fits what is used now.")


def _reason(read: Reading) -> str:
    """What stopped, and when a plan would begin."""
    begins = _(
        "A larger plan acts at once and for the whole period; a smaller one begins on %(day)s, 00:00 UTC."
    ) % {"day": dates.short(read.period.until)}
    worst = read.meters[0] if read.meters else None
    if worst is None or not worst.is_full:
        return begins
    stops = _("%(plan)s stops %(name)s at %(size)s.") % {
        "plan": read.plan.name,
        "name": worst.name,
        "size": worst.size_text,
    }
    return f"{stops} {begins}"
