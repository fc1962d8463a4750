"""The page of plans: what fits what a tenant uses now, what another one would do, and who may choose it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from billing.contracts import Contracts
from billing.courses import Course, PlanChange, course_by
from billing.models import Plan
from billing.pricing import Bill
from tenants.models import Membership, Tenant
from usage import units
from usage.models import Notice
from usage.money.bills import what_if
from usage.reports import dates
from usage.reports.coming import Coming, coming_on
from usage.reports.deciding import Say, say
from usage.reports.meters import Look, Meter
from usage.reports.people import name_of
from usage.reports.plan_cards import PlanCard, Table, plan_card
from usage.reports.plan_effects import Effect, effect_of
from usage.reports.readings import Reading, contracts_of, read

Choice = Callable[[Course], PlanChange]


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What the plan page shows; `effect` is that of the choice, else of the plan that is suggested."""

    tenant: Tenant
    plan: Plan
    look: Look
    title: str
    reason: str
    cards: tuple[PlanCard, ...]
    suggested: Plan | None
    effect: Effect | None
    coming: Coming
    say: Say
    may_cancel: bool
    currency: str  # empty for those who see no money

    @property
    def pairs(self) -> tuple[tuple[Meter, Meter], ...]:
        """Each metric's meters on the present and on the other plan."""
        return self.effect.pairs if self.effect else ()


def plan_report(
    tenant: Tenant,
    at: datetime,
    *,
    with_money: bool,
    reader: Membership | None = None,
    choice: Choice | None = None,
) -> PlanReport:
    """All plans on offer, and the tenant's own, measured against what it uses now.

    `reader` is None for who does not belong to the tenant; `choice` is what the reader thinks of. Raises
    NothingChanges where that would change nothing.
    """
    contracts = contracts_of(tenant, at)
    now = read(contracts, tenant, at, with_money=False)  # what each plan costs is asked for all at once
    course = course_by(contracts, tenant, at)
    table = Table(now, course, _asked(tenant), say(reader, tenant, now.plan))
    costs = _costs(contracts, now) if with_money else {}
    cards = [
        plan_card(table, contracts.entitlements(tenant, at, plan=plan), costs.get(plan.pk))
        for plan in contracts.offered(now.plan)
    ]
    best = _best(cards)
    change = choice(course) if choice else _suggestion(course, best)
    return PlanReport(
        tenant=tenant,
        plan=now.plan,
        look=now.meters[0].look if now.meters else cards[0].fit.look,
        title=_title(now, best.plan if best else None),
        reason=_reason(now),
        cards=tuple(replace(card, is_suggested=card is best and choice is None) for card in cards),
        suggested=best.plan if best else None,
        effect=_effect(contracts, now, change, costs, is_chosen=choice is not None) if change else None,
        coming=coming_on(course, contracts, for_staff=reader is None),
        say=table.say,
        may_cancel=table.say.may_switch and course.may_end,
        currency=settings.HEADROOM_CURRENCY if with_money else "",
    )


def _asked(tenant: Tenant) -> dict[int | None, str]:
    """The plans the tenant waits for, by id, and who asked."""
    waiting = Notice.objects.filter(tenant=tenant, kind=Notice.Kind.PLAN, seen_at=None)
    return {one.plan_id: name_of(one.author, for_staff=False) for one in waiting.select_related("author")}


def _costs(contracts: Contracts, now: Reading) -> dict[int, Bill]:
    """What the period costs on each plan by plan id: on a larger one from now on, with its fee by days."""
    plans, course = contracts.offered(now.plan), course_by(contracts, now.tenant, now.at)
    bills = what_if(contracts, now.tenant, plans, now.counts.totals, now.at)
    return {
        plan.pk: replace(bill, fees=contracts.fees_if(now.tenant, now.period, now.at, plan))
        if course.is_larger(plan)
        else bill
        for plan, bill in zip(plans, bills, strict=True)
    }


def _best(cards: Sequence[PlanCard]) -> PlanCard | None:
    """The first plan that fits where the present one does not."""
    if any(card.is_current and card.fit.is_fitting for card in cards):
        return None
    return next((card for card in cards if card.fit.is_fitting and not card.is_current), None)


def _suggestion(course: Course, best: PlanCard | None) -> PlanChange | None:
    """The change to the best plan, unless that is what is scheduled."""
    planned = course.scheduled
    if best is None or (planned and planned.plan.pk == best.plan.pk):
        return None
    return course.changed_to(best.plan)


def _effect(
    contracts: Contracts, now: Reading, change: PlanChange, costs: dict[int, Bill], *, is_chosen: bool
) -> Effect:
    # What does not act at once costs nothing else in this period.
    cost = costs.get(change.plan.pk) or costs.get(now.plan.pk)
    return effect_of(now, contracts, change, cost=cost, is_chosen=is_chosen)


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
