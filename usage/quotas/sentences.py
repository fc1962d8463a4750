"""The sentences of a refusal: what is used up, when it comes back, what to do."""

from __future__ import annotations

from datetime import timedelta

from billing.models import Metric
from usage import units
from usage.amounts import money
from usage.quotas.refusals import Explanation

STAYS = "Included amounts keep working"


def sentence(refused: Explanation) -> str:
    """The whole of it, for the people behind a program."""
    return " ".join(part for part in (reason(refused), when(refused), remedy(refused)) if part)


def heading(refused: Explanation) -> str:
    """The page's first line."""
    metric, tenant = refused.metric, refused.decision.tenant
    name, many = units.name(metric), units.is_plural(metric)
    if refused.is_burst:
        return f"Too {'many' if many else 'much'} {name} in one minute."
    if refused.is_cap:
        return f"{tenant} has reached its spend cap."
    if not refused.limit:
        return f"{_plan(refused, 'The')} doesn't include {name}."
    if metric.kind == Metric.Kind.DISTINCT:
        return f"{tenant} has no room for more {name} in {_period(refused)}."
    if refused.left:
        return f"{tenant} has too {'few' if many else 'little'} {name} left for this."
    if metric.kind == Metric.Kind.LEVEL:
        return f"{tenant} has no {name} left."
    return f"{tenant} has used all its {name} for {_period(refused)}."


def reason(refused: Explanation) -> str:
    """What does not fit into what."""
    if refused.is_cap:
        return _reason_of_cap(refused)
    metric, name = refused.metric, units.name(refused.metric)
    limit = units.of_quantity(metric, refused.limit)
    if refused.is_burst:
        return f"{_plan(refused, 'Your')} allows {limit} a minute."
    if not refused.limit:
        return f"{_plan(refused, 'Your')} doesn't include {name}."
    if metric.kind == Metric.Kind.DISTINCT:
        return f"{_plan(refused, 'Your')} includes {limit}, and this would be one more."
    if not refused.left:
        return f"You've used all {limit} in {_plan(refused)}."
    needed, left = _told_apart(metric, refused.requested or 1, refused.left)
    return f"This needs {needed}, but only {left} of {_all(refused)} in {_plan(refused)} {are(refused)} left."


def when(refused: Explanation) -> str:
    """When it comes back; nothing where waiting does not help."""
    if refused.resets_at is None:
        return ""
    if refused.is_burst:
        return f"Try again in {units.span(timedelta(seconds=refused.wait or 1))}."
    day = units.day(refused.resets_at.date())
    if refused.is_cap:
        return f"{STAYS}; {billable(refused)} {are(refused)} refused until {day}."
    return f"{they(refused)} {'reset' if units.is_plural(refused.metric) else 'resets'} on {day}."


def remedy(refused: Explanation) -> str:
    """What the reader can do."""
    if refused.is_burst:
        return ""
    them = "them" if units.is_plural(refused.metric) else "it"
    if refused.is_cap:
        return "Raise the cap to go on."
    if refused.metric.kind == Metric.Kind.LEVEL and refused.limit:
        return f"Free some {units.name(refused.metric)} or upgrade your plan."
    return f"Upgrade your plan {'for more' if refused.limit else 'to use ' + them}."


def they(refused: Explanation) -> str:
    return "They" if units.is_plural(refused.metric) else "It"


def billable(refused: Explanation) -> str:
    """What a spend cap stops: “billable calls”."""
    return f"billable {refused.metric.noun}"


def are(refused: Explanation) -> str:
    return "are" if units.is_plural(refused.metric) else "is"


def _reason_of_cap(refused: Explanation) -> str:
    cap = "Your spend cap" if refused.cap is None else f"Your spend cap of {money(refused.cap)}"
    if not refused.left:
        return f"{cap} is reached."
    needed, left = _told_apart(refused.metric, refused.requested or 1, refused.left)
    return f"{cap} is nearly reached: this needs {needed}, and only {left} can still be paid for."


def _plan(refused: Explanation, article: str = "your") -> str:
    plan = refused.decision.plan
    return f"{article} {plan} plan" if plan else f"{article} plan"


def _all(refused: Explanation) -> str:
    return f"the {units.number(refused.metric, refused.limit)}"


def _period(refused: Explanation) -> str:
    """“November” for a calendar month; a period that begins on another day has no name."""
    first = refused.decision.period.first
    return units.day(first).split()[1] if first.day == 1 else "this period"


def _told_apart(metric: Metric, needed: int, left: int) -> tuple[str, str]:
    """Both quantities in words that differ: scaled, or in bytes where scaling makes them look the same."""
    if units.number(metric, needed) == units.number(metric, left):
        return f"{needed:,} bytes of {units.name(metric)}", f"{left:,} bytes"
    return units.of_quantity(metric, needed), units.number(metric, left)
