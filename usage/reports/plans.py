"""The plans side by side: what each includes, what it costs, and whether present use fits."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from billing.entitlements import Entitlements, Limit
from billing.models import Allowance, Plan
from billing.pricing import Bill, price_of
from tenants.models import Membership, Tenant
from usage import units
from usage.models import Notice
from usage.money.bills import what_if
from usage.reports import dates
from usage.reports.fits import Fit, fit_of
from usage.reports.meters import Look, Meter
from usage.reports.money import money, prices, whole_money
from usage.reports.readings import Reading, contracts_of, read


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
    contracts = contracts_of(tenant, at)
    now = read(contracts, tenant, at, with_money=False)  # what each plan costs is asked for all at once
    plans = contracts.offered(now.plan)
    asked, bills = _asked(tenant), what_if(contracts, tenant, plans, now.counts.totals, at)
    cards = [
        _card(now, contracts.entitlements(tenant, at, plan=plan), asked, cost if with_money else None)
        for plan, cost in zip(plans, bills, strict=True)
    ]
    best = _best(cards)
    return PlanReport(
        tenant=tenant,
        plan=now.plan,
        look=now.meters[0].look if now.meters else cards[0].fit.look,
        title=_title(now, best.plan if best else None),
        reason=_reason(now),
        cards=tuple(replace(card, is_suggested=card is best) for card in cards),
        suggested=best.plan if best else None,
        pairs=tuple(_pairs(now, best)) if best else (),
        days=dates.days(now.period.first, at.date()),
        currency=settings.HEADROOM_CURRENCY if with_money else "",
    )


def who_decides(tenant: Tenant) -> list[str]:
    """Names of those who may ask for a plan."""
    people = Membership.objects.filter(tenant=tenant, user__is_active=True).exclude(
        role=Membership.Role.VIEWER
    )
    return [str(one.user) for one in people.select_related("user").order_by("-role", "pk")]


def _asked(tenant: Tenant) -> set[int | None]:
    """Ids of the plans the tenant waits for."""
    waiting = Notice.objects.filter(tenant=tenant, kind=Notice.Kind.PLAN, seen_at=None)
    return set(waiting.values_list("plan_id", flat=True))


def _card(now: Reading, offer: Entitlements, asked: Container[int | None], cost: Bill | None) -> PlanCard:
    """`cost`: of the present period on this plan; none for those who see no money."""
    plan = offer.plan
    is_current = plan.pk == now.plan.pk
    there = now.meters if is_current else tuple(sorted(_meters(now, offer), key=lambda meter: meter.risk))
    fit = fit_of(now.meters, there, is_current=is_current)
    return PlanCard(
        plan=plan,
        is_current=is_current,
        is_asked=plan.pk in asked,
        is_suggested=False,
        price=whole_money(plan.base_fee) if cost else "",
        price_note=_price_note(plan, cost, fit) if cost else "",
        included=tuple(_included(limit, cost is not None) for limit in offer.limits.values()),
        meters=there,
        fit=fit,
    )


def _price_note(plan: Plan, cost: Bill, fit: Fit) -> str:
    """What the present use costs on it, where that is not the fee alone."""
    if cost.total > plan.base_fee:
        return _("%(total)s with present use") % {"total": money(cost.total)}
    if not cost.total:
        return _("no charge")
    return _("present use is included") if fit.is_fitting else ""


def _meters(now: Reading, offer: Entitlements) -> Iterator[Meter]:
    """The same use, and what is expected of it, measured against another plan."""
    known = {meter.metric.pk: meter for meter in now.meters}
    for limit in offer.limits.values():
        here, price = known.get(limit.metric.pk), price_of(limit.allowance, limit.included)
        used, expected = (here.used, here.forecast) if here else (0, None)
        yield Meter(limit.metric, limit, price, used, now.period, now.at, (), 0, None, expected)


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


def _best(cards: Sequence[PlanCard]) -> PlanCard | None:
    """The first plan that fits where the present one does not."""
    if any(card.is_current and card.fit.is_fitting for card in cards):
        return None
    return next((card for card in cards if card.fit.is_fitting and not card.is_current), None)


def _pairs(now: Reading, best: PlanCard) -> Iterator[tuple[Meter, Meter]]:
    there = {meter.metric.pk: meter for meter in best.meters}
    for meter in sorted(now.meters, key=lambda one: one.metric.position):
        if meter.metric.pk in there:
            yield meter, there[meter.metric.pk]


def _title(now: Reading, best: Plan | None) -> str:
    worst = now.meters[0] if now.meters else None
    facts = {"plan": now.plan.name, "best": best.name if best else ""}
    if worst is None or worst.is_ok:
        return _("%(plan)s fits what is used now.") % facts
    if best and worst.is_full:
        verb = _("go on today.") if units.is_plural(worst.metric) else _("goes on today.")
        return _("With %(best)s, %(name)s ") % {**facts, "name": worst.name} + verb
    if best:
        return _("With %(best)s, there is room again.") % facts
    return _("No plan on offer fits what is used now.")


def _reason(now: Reading) -> str:
    """What stopped, and when a plan would begin."""
    begins = _(
        "A larger plan acts at once and for the whole period; a smaller one begins on %(day)s, 00:00 UTC."
    ) % {"day": dates.short(now.period.until)}
    worst = now.meters[0] if now.meters else None
    if worst is None or not worst.is_full:
        return begins
    stops = _("%(plan)s stops %(name)s at %(size)s.") % {
        "plan": now.plan.name,
        "name": worst.name,
        "size": worst.size_text,
    }
    return f"{stops} {begins}"
