"""What a plan gives, in words, and what an edit of it changed: the text that is confirmed, kept and told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.models import Allowance, Metric, Plan, PriceTier
from billing.quantities import spelled


@dataclass(frozen=True, slots=True)
class Terms:
    """One allowance, every part of it as people read it."""

    metric: str
    included: str
    beyond: str
    hard_limit: str
    burst: str
    price: str


def terms_of(plan: Plan) -> dict[str, Terms]:
    """The terms of `plan` as the database has them now, by metric code; two queries."""
    allowances = Allowance.objects.filter(plan=plan).select_related("metric").prefetch_related("tiers")
    return {one.metric.code: _terms(one) for one in allowances}


def differences(before: Mapping[str, Terms], after: Mapping[str, Terms]) -> list[str]:
    """One line for each thing that differs: “API calls 1,000 → 2,000”."""
    lines = []
    for code in [*after, *(code for code in before if code not in after)]:
        old, new = before.get(code), after.get(code)
        if new is None and old is not None:
            lines.append(f"{old.metric} removed")
        elif old is None and new is not None:
            lines.append(f"{new.metric} added: {new.included}, {new.beyond} beyond")
        elif old is not None and new is not None:
            lines.extend(_changed(old, new))
    return lines


def cautions(plan: Plan) -> list[str]:
    """What is allowed but seldom meant: billed use without a price, a price that nothing is charged at."""
    lines = []
    for allowance in Allowance.objects.filter(plan=plan).select_related("metric").prefetch_related("tiers"):
        is_priced, is_billed = bool(allowance.tiers.all()), allowance.beyond == Allowance.Beyond.BILL
        included = spelled(allowance.included, allowance.metric)
        if is_billed and not is_priced and allowance.included is not None:
            lines.append(f"{allowance.metric}: use beyond {included} is free, as it has no price.")
        if is_priced and (not is_billed or allowance.included is None):
            lines.append(
                f"{allowance.metric}: its price is never charged; bill beyond a limit, or empty the price."
            )
    return lines


def price_words(tier: PriceTier, metric: Metric) -> str:
    """“0.001 per 1”, “0.05 per 1 MB”, “0.40 per begun 1,000”."""
    begun = "begun " if tier.rounds_up else ""
    return f"{plain(tier.price)} per {begun}{spelled(tier.per, metric)}"


def plain(amount: Decimal) -> str:
    """`amount` without the zeros that a column's scale adds."""
    return f"{amount.normalize():f}"


def moment(at: datetime | None) -> str:
    """“1 Dec 2026, 00:00 UTC”; none is said as what it means."""
    return f"{at.day} {at:%b %Y, %H:%M} UTC" if at else "further notice"


def _terms(allowance: Allowance) -> Terms:
    metric = allowance.metric
    tiers = sorted(allowance.tiers.all(), key=lambda tier: (tier.up_to is None, tier.up_to or 0))
    ends = [f" up to {spelled(tier.up_to, metric)}" if tier.up_to is not None else "" for tier in tiers]
    return Terms(
        metric=metric.name,
        included=spelled(allowance.included, metric),
        beyond=allowance.beyond,
        hard_limit="none" if allowance.hard_limit is None else spelled(allowance.hard_limit, metric),
        burst="none" if allowance.burst is None else f"{spelled(allowance.burst, metric)} a minute",
        price=", ".join(price_words(tier, metric) + end for tier, end in zip(tiers, ends, strict=True))
        or "none",
    )


def _changed(old: Terms, new: Terms) -> Iterator[str]:
    if old.included != new.included:
        yield f"{new.metric} {old.included} → {new.included}"
    for part in ("beyond", "hard_limit", "burst", "price"):
        was, now = getattr(old, part), getattr(new, part)
        if was != now:
            yield f"{new.metric} {part.replace('_', ' ')} {was} → {now}"
