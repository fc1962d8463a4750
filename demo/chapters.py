"""The ledger rows of one metric in some hours: one function for each way a metric adds up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.urls import resolve

from billing.entitlements import Limit
from demo.cast import Customer
from demo.goals import Span
from demo.rhythm import dice, fading, spread, weights
from tenants.models import Tenant
from usage.metering.ledger import Counts, Total
from usage.metering.types import Cause

# Shares in percent of what the demo's own API counts, and of what a real product would have besides.
PRODUCT = {
    "api_calls": {"POST /v1/events": 33, "GET /v1/search": 19},
    "bandwidth": {"GET /v1/reports/<int:id>": 51, "POST /v1/export": 26},
}
FIRST_STOCK = 82  # percent of a level that was there before the story begins
CHURN = 40  # percent of what is added that is removed in the same hour


@dataclass(slots=True)
class Chapter:
    """What one tenant does in one span: rows to keep, and each metric's change and refusals hour by hour."""

    tenant: Tenant
    customer: Customer
    span: Span
    epoch: int
    rows: Counts = field(default_factory=Counts)
    moves: dict[str, dict[datetime, int]] = field(default_factory=dict)
    refused: dict[str, dict[datetime, int]] = field(default_factory=dict)

    def weights(self, hours: Sequence[datetime], *about: str) -> list[int]:
        chance = dice(self.tenant.slug, hours[0].date(), *about)
        return weights(hours, chance, never_sleeps=self.customer.never_sleeps)

    def note(self, metric: str, hours: Sequence[datetime], units: Sequence[int]) -> None:
        """Remember what a metric moved by, for the telling."""
        moves = self.moves.setdefault(metric, {})
        for hour, moved in zip(hours, units, strict=True):
            moves[hour] = moves.get(hour, 0) + moved


def add_sum(
    chapter: Chapter,
    limit: Limit,
    units: int,
    hours: Sequence[datetime],
    refused: int,
    later: Sequence[datetime],
) -> None:
    """Use of a metric that adds up, divided among labels and hours, and what is refused in the hours after."""
    code = limit.metric.code
    for label, part in _labelled(chapter.customer, code, units).items():
        parts = spread(part, chapter.weights(hours, code, label))
        _add_hours(chapter, limit, label, hours, parts)
        chapter.note(code, hours, parts)
    if refused:
        _add_refusals(chapter, limit, refused, later)
    key = chapter.tenant.pk, limit.metric.pk, chapter.span.period.first
    chapter.rows.periods.append((*key, chapter.epoch, units, refused))


def _add_refusals(chapter: Chapter, limit: Limit, refused: int, hours: Sequence[datetime]) -> None:
    parts = spread(refused, chapter.weights(hours, limit.metric.code, "refused"))
    chapter.refused[limit.metric.code] = dict(zip(hours, parts, strict=True))
    where = chapter.tenant.pk, limit.metric.pk
    chapter.rows.refusals += [
        (*where, hour, Cause.LIMIT.value, chapter.epoch, count)
        for hour, count in zip(hours, parts, strict=True)
        if count
    ]


def add_level(chapter: Chapter, limit: Limit, units: int, known: Total) -> None:
    """A level that grows by `units`: each hour some is added and part of it removed again."""
    hours, stock = chapter.span.hours, 0 if known.used else units * FIRST_STOCK // 100
    grown = spread(units - stock, chapter.weights(hours, limit.metric.code))
    grown[0] += stock
    level, own = known.used, known.own(chapter.epoch)
    added, removed = own.used, own.removed
    where = chapter.tenant.pk, limit.metric.pk
    plus = []
    for number, (hour, gain) in enumerate(zip(hours, grown, strict=True)):
        churn = gain * CHURN // 100 if number else 0
        added, removed, level = added + gain + churn, removed + churn, level + gain
        plus.append(gain + churn)
        if gain:
            chapter.rows.level_hours.append(
                (*where, hour, chapter.epoch, gain + churn, churn, level + churn, level)
            )
    chapter.rows.levels.append((*where, chapter.epoch, added, removed))
    _add_hours(chapter, limit, _route("PUT", "/demo/api/files/name"), hours, plus)
    chapter.note(limit.metric.code, hours, grown)


def add_members(chapter: Chapter, limit: Limit, units: int, have: int) -> None:
    """Different users, most of them seen early in the period; the same people come in each period."""
    hours, period = chapter.span.hours, chapter.span.period.first
    chance = dice(chapter.tenant.slug, hours[0].date(), limit.metric.code)
    parts = spread(units, fading(hours, chance, half_life=60))
    where = chapter.tenant.pk, limit.metric.pk
    names = (chapter.customer.user(number) for number in range(have, have + units))
    chapter.rows.members += [(*where, period, name) for name in names]
    _add_hours(chapter, limit, _route("POST", "/demo/api/sessions"), hours, parts)
    chapter.note(limit.metric.code, hours, parts)


def _add_hours(
    chapter: Chapter, limit: Limit, label: str, hours: Sequence[datetime], units: Sequence[int]
) -> None:
    where = chapter.tenant.pk, limit.metric.pk
    chapter.rows.hours += [
        (*where, hour, label, chapter.epoch, used) for hour, used in zip(hours, units, strict=True) if used
    ]


def _labelled(customer: Customer, code: str, units: int) -> Mapping[str, int]:
    """`units` by label; who is on the free plan only knows the demo's own API."""
    product = {} if customer.plan == "free" else PRODUCT.get(code, {})
    own = 100 - sum(product.values())
    ping, files = _route("GET", "/demo/api/ping"), _route("GET", "/demo/api/files/")
    shares = {ping: own - own // 4, files: own // 4, **product}
    return dict(zip(shares, spread(units, list(shares.values())), strict=True))


def _route(method: str, path: str) -> str:
    """The label that a request to `path` is counted under."""
    return f"{method} /{resolve(path).route}"
