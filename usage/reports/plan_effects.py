"""What a change of plan does, said before it is made: limits, what stays above them, what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from billing.contracts import Contracts
from billing.courses import PlanChange
from billing.models import Allowance
from billing.pricing import Bill
from usage import units
from usage.reports import dates
from usage.reports.coming import day_of
from usage.reports.meters import Meter
from usage.reports.money import money, prices, whole_money
from usage.reports.plan_cards import meters_on
from usage.reports.readings import Reading


@dataclass(frozen=True, slots=True)
class Effect:
    """`pairs` are each metric's meters on the present plan and on the other as it begins; `button` does it.

    With `is_chosen` somebody is about to do it, else it is a suggestion.
    """

    change: PlanChange
    is_chosen: bool
    title: str
    note: str
    there: str
    pairs: tuple[tuple[Meter, Meter], ...]
    facts: tuple[str, ...]
    costs: str  # empty for those who see no money
    button: str


def effect_of(
    now: Reading, contracts: Contracts, change: PlanChange, *, cost: Bill | None, is_chosen: bool
) -> Effect:
    """What `change` does to the use in `now`. `cost`: of the period with it; none for those who see no money."""
    there = _meters(now, contracts, change)
    plans = {"before": change.before.name, "plan": change.plan.name, "day": dates.short(change.begins.date())}
    used, from_then = _("With what is used now, %(days)s"), _("From %(day)s on, 00:00 UTC")
    return Effect(
        change=change,
        is_chosen=is_chosen,
        title=_("From %(before)s to %(plan)s") % plans,
        note=(used if change.is_at_once else from_then)
        % {**plans, "days": dates.days(now.period.first, now.at.date())},
        there=(_("On %(plan)s") if change.is_at_once else _("On %(plan)s from %(day)s")) % plans,
        pairs=tuple(_pairs(now, there)),
        facts=tuple(_facts(now, change, there, with_money=cost is not None)) if is_chosen else (),
        costs=_costs(now, change, cost) if cost else "",
        button=_button(change) % plans,
    )


def _meters(now: Reading, contracts: Contracts, change: PlanChange) -> dict[int, Meter]:
    """The meters on the other plan as it begins, by metric id; with a new period all but levels are at zero."""
    offer = contracts.entitlements(now.tenant, change.begins, plan=change.plan)
    begun = (
        one if change.is_at_once or one.is_level else replace(one, used=0) for one in meters_on(now, offer)
    )
    return {one.metric.pk: replace(one, forecast=None) for one in begun}


def _pairs(now: Reading, there: dict[int, Meter]) -> Iterator[tuple[Meter, Meter]]:
    for meter in sorted(now.meters, key=lambda one: one.metric.position):
        if meter.metric.pk in there:
            yield replace(meter, forecast=None), there[meter.metric.pk]


def _facts(now: Reading, change: PlanChange, there: dict[int, Meter], *, with_money: bool) -> Iterator[str]:
    """Sentences, the most important first."""
    day = day_of(change.begins, now.at)
    if change.is_at_once:
        yield from _freed(now, there)
        text = _("The limits of %(plan)s act at once and for the whole period.")
        yield text % {"plan": change.plan.name}
    else:
        text = _("%(before)s and its limits go on until %(day)s, then those of %(plan)s hold.")
        yield text % {"before": change.before.name, "plan": change.plan.name, "day": day}
        yield from _anew(there.values())
    for here in sorted(now.meters, key=lambda one: one.metric.position):
        yield from _fate(here, there.get(here.metric.pk), change, with_money=with_money)
    if change.replaces:
        was = {"plan": change.replaces.plan.name, "day": day_of(change.replaces.begins, now.at)}
        yield _("It takes the place of what is scheduled: %(plan)s from %(day)s on.") % was


def _freed(now: Reading, there: dict[int, Meter]) -> Iterator[str]:
    """What is refused now and goes on then."""
    for here in now.meters:
        meter = there.get(here.metric.pk)
        if here.is_full and meter and not meter.is_full:
            many, one = _("%(name)s go on at once."), _("%(name)s goes on at once.")
            yield (many if units.is_plural(here.metric) else one) % {"name": here.metric.name}


def _anew(there: Iterable[Meter]) -> Iterator[str]:
    names = [
        one.metric.name for one in sorted(there, key=lambda one: one.metric.position) if not one.is_level
    ]
    if names:
        yield _("These begin at zero then, as in every period: %(names)s.") % {
            "names": get_text_list(names, _("and"))
        }


def _fate(here: Meter, there: Meter | None, change: PlanChange, *, with_money: bool) -> Iterator[str]:
    """What becomes of one metric's use where the other plan has less room than is used."""
    facts = {"plan": change.plan.name, "name": here.name, "used": here.used_text}
    if there is None:
        yield _("%(plan)s has no %(name)s: requests that need it are refused.") % facts
        return
    facts |= {"size": there.size_text, "amount": units.of_quantity(here.metric, here.used)}
    if there.size is None or here.used <= there.size:
        return
    if here.is_level:
        yield _kept(there, with_money=with_money) % {**facts, "price": prices(there.metric, there.price)}
    elif there.limit.stop is not None:
        stops = _("%(plan)s stops %(name)s at %(size)s; this period has used %(used)s so far.")
        yield stops % facts


def _kept(there: Meter, *, with_money: bool) -> str:
    """What a level above what is included becomes; nothing is deleted."""
    if there.limit.stop is not None:
        return _(
            "%(amount)s: kept, but more than the %(size)s of %(plan)s, so it can't grow until it is below."
        )
    if there.limit.allowance.beyond == Allowance.Beyond.BILL and there.is_priced:
        billed = _("%(amount)s: kept; what is above the %(size)s of %(plan)s is billed.")
        priced = _("%(amount)s: kept; what is above the %(size)s of %(plan)s is billed, %(price)s.")
        return priced if with_money else billed
    return _("%(amount)s: kept; nothing is charged above the %(size)s of %(plan)s.")


def _costs(now: Reading, change: PlanChange, cost: Bill) -> str:
    if not change.is_at_once:
        text = _("From %(day)s on the base fee is %(fee)s a month; until then it is that of %(before)s.")
        facts = {"fee": whole_money(change.plan.base_fee), "before": change.before.name}
        return text % {**facts, "day": dates.short(change.begins.date())}
    parts = [
        _("%(days)d days of %(plan)s, %(amount)s")
        % {"days": fee.days, "plan": fee.plan, "amount": money(fee.amount)}
        for fee in cost.fees
    ]
    fees = _("Base fees go by days: %(parts)s, and %(last)s, together %(total)s.")
    if len(parts) == 1:
        fees = _("Base fees go by days: %(last)s.")
    facts = {"parts": "; ".join(parts[:-1]), "last": parts[-1], "total": money(cost.base_fee)}
    return f"{fees % facts} {_overage(change, cost)}"


def _overage(change: PlanChange, cost: Bill) -> str:
    facts = {"plan": change.plan.name, "amount": money(cost.overage)}
    if cost.overage:
        return _("Use beyond what %(plan)s includes costs %(amount)s so far.") % facts
    return _("Nothing is billed beyond what %(plan)s includes.") % facts


def _button(change: PlanChange) -> str:
    if change.is_end:
        return _("Cancel %(before)s on %(day)s")
    return _("Switch to %(plan)s now") if change.is_at_once else _("Switch to %(plan)s on %(day)s")
