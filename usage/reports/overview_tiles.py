"""The figures above the list of all tenants: how many stand how, and what deliveries fail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from django.core.cache import cache
from django.db.models import Count, Min, Q

from usage.models import Delivery, Standing
from usage.models.standing import RUNS_OUT
from usage.reports.deliveries import FAILED
from usage.reports.overview_choice import IS_HIGH, STOPPED_OR_OVER, State, closed
from usage.states import NEAR

MANY = 10_000  # tenants: to count so many takes as long as all else, so that is remembered
REMEMBERED_SECONDS = 60
TENANTS = "overview:tenants"
MOST_FAILED = 1_000  # deliveries that are counted


@dataclass(frozen=True, slots=True)
class Summary:
    """How many tenants there are and how they stand, and how many deliveries did not arrive."""

    tenants: int
    stopped: int
    over: int
    high: int  # at 80 % or more, with those at or over
    exceeding: int
    first_out: date | None
    dead: int
    retried: int

    @property
    def at_limit(self) -> int:
        return self.stopped + self.over

    @property
    def failing(self) -> int:
        return self.dead + self.retried

    @property
    def is_more_failing(self) -> bool:
        """Whether counting ended before all of them."""
        return self.failing == MOST_FAILED


def summary() -> Summary:
    """Two queries. Of many tenants those that matter are found by indexes, the number of all is a minute old."""
    rows = Standing.objects.exclude(tenant__in=closed())
    known: int | None = cache.get(TENANTS)
    if known is not None:
        # Whoever stands high, or runs out, has this risk; whom a spend cap stops is found by its state.
        rows = rows.filter(Q(risk__gte=NEAR) | STOPPED_OR_OVER)
    figures = rows.aggregate(
        tenants=Count("pk"),
        stopped=Count("pk", filter=Q(state=State.FULL)),
        over=Count("pk", filter=Q(state=State.OVER)),
        high=Count("pk", filter=IS_HIGH),
        exceeding=Count("pk", filter=RUNS_OUT),
        first_out=Min("runs_out"),
    )
    if known is None and figures["tenants"] >= MANY:
        cache.set(TENANTS, figures["tenants"], REMEMBERED_SECONDS)
    dead, retried = _failed()
    return Summary(**{**figures, "tenants": known or figures["tenants"]}, dead=dead, retried=retried)


def _failed() -> tuple[int, int]:
    """How many deliveries were given up, and how many are tried again."""
    rows = Delivery.objects.filter(FAILED, ~Q(status=Delivery.Status.SENT)).values_list("status", flat=True)
    found = Counter(rows[:MOST_FAILED])
    return found[Delivery.Status.DEAD], found[Delivery.Status.WAITING]
