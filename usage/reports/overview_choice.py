"""Which tenants the list of all shows and in which order: what it was asked for, and the rows that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from django.db.models import DateTimeField, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Allocation, CostShare, Metric, Plan
from tenants.models import Tenant
from usage.models import Standing
from usage.models.standing import RUNS_OUT
from usage.reports.keyset import Order
from usage.states import NEAR

State = Standing.State
AT_LIMIT, HIGH, EXCEEDING, SILENT, BELOW = "limit", "high", "exceeds", "silent", "below"
SILENCE = timedelta(hours=24)
STOPPED_OR_OVER = Q(state__in=[State.FULL, State.OVER])
# What is at or over has this risk, too, but for what a spend cap stops: the index finds it among many.
IS_HIGH = Q(fill__gte=NEAR, risk__gte=NEAR)
GROUPS = {
    AT_LIMIT: (gettext_lazy("At or over the limit"), STOPPED_OR_OVER),
    HIGH: (gettext_lazy("At 80 % or more"), IS_HIGH),
    EXCEEDING: (gettext_lazy("Forecast to exceed"), RUNS_OUT),
}
# Keeps PostgreSQL from testing every tenant in the order of risk until it has a page: a search that finds few
# would read them all. It finds the tenants first, by their index.
FOUND_FIRST = 1_000_000
NEVER = datetime(1970, 1, 1, tzinfo=UTC)

RISK = "risk"
ORDERS: dict[str, Order[Standing]] = {
    RISK: Order(
        salt="usage.overview",
        first="risk",
        second="pk",
        is_second_descending=False,
        place=lambda row: [row.risk, row.pk],
    ),
    "name": Order(
        salt="usage.overview.name",
        first="tenant__name",
        second="pk",
        is_first_descending=False,
        is_second_descending=False,
        place=lambda row: [row.tenant.name, row.pk],
    ),
    "overage": Order(
        salt="usage.overview.overage",
        first="overage",
        second="pk",
        is_second_descending=False,
        place=lambda row: [str(row.overage), row.pk],
    ),
    "refused": Order(
        salt="usage.overview.refused",
        first="refused",
        second="pk",
        is_second_descending=False,
        place=lambda row: [row.refused, row.pk],
    ),
    "used": Order(
        salt="usage.overview.used",
        first="used_at",
        second="pk",
        is_second_descending=False,
        place=lambda row: [(row.last_used or NEVER).isoformat(), row.pk],
    ),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to and sorted by; empty = everything, riskiest first."""

    query: str = ""  # an id, or how words of name or slug begin
    plan: str = ""  # slug
    state: str = ""  # a state, a group of them, silent, or below cost
    metric: str = ""  # code of the worst one
    sort: str = ""

    @property
    def is_narrow(self) -> bool:
        return any((self.query, self.plan, self.state, self.metric))

    @property
    def order(self) -> Order[Standing]:
        return ORDERS[self.sort or RISK]

    def address(self, after: str | None = None) -> str:
        """The query string of this list's page, empty for the first page of all."""
        values = {
            "q": self.query,
            "plan": self.plan,
            "state": self.state,
            "metric": self.metric,
            "sort": self.sort,
            "after": after,
        }
        given = {name: value for name, value in values.items() if value}
        return f"?{urlencode(given)}" if given else ""

    def known(self, plans: Sequence[Plan], metrics: Sequence[Metric]) -> Filters:
        """The same without values that name nothing."""
        return replace(
            self,
            query=self.query.strip(),
            plan=self.plan if any(one.slug == self.plan for one in plans) else "",
            state=self.state if any(code == self.state for code, _word in states()) else "",
            metric=self.metric if any(one.code == self.metric for one in metrics) else "",
            sort=self.sort if self.sort in ORDERS and self.sort != RISK else "",
        )


ALL = Filters()


class Head(NamedTuple):
    """A column's head: `sort` is empty where nobody sorts by it, `direction` where the list is not sorted by it."""

    text: str
    css: str
    address: str
    key: str
    direction: str


def heads(filters: Filters) -> list[Head]:
    """The columns in their order; each sorts in the direction that shows what matters first."""
    by = filters.sort or RISK
    columns = (
        (_("Tenant"), "", "name"),
        (_("Plan"), "", ""),
        (_("Worst metric, now → forecast"), "", RISK),
        (_("Runs out"), "", ""),
        (_("Overage, estimate"), "num two", "overage"),
        (_("Margin"), "num", ""),
        (_("Refused"), "num", "refused"),
        (_("Last use"), "num two", "used"),
        (_("State"), "", ""),
    )
    return [
        Head(
            text,
            css,
            replace(filters, sort="" if key == RISK else key).address() or "?" if key else "",
            key,
            _direction(key) if key == by else "",
        )
        for text, css, key in columns
    ]


def _direction(key: str) -> str:
    return "descending" if ORDERS[key].is_first_descending else "ascending"


def states() -> list[tuple[str, str]]:
    """What the list may be narrowed to beside plan and metric."""
    known = [(state.value, str(state.label)) for state in (State.FULL, State.OVER, State.NEAR, State.OK)]
    groups = [(code, str(word)) for code, (word, _rows) in GROUPS.items()]
    return [*known, *groups, (SILENT, _("Unused for 24 h")), (BELOW, _("Below cost"))]


def narrowed(filters: Filters, at: datetime) -> QuerySet[Standing]:
    """The standings that are meant, in no order yet; no query."""
    rows = Standing.objects.annotate(used_at=_used_at()) if filters.sort == "used" else Standing.objects.all()
    if filters.query:
        rows = rows.filter(tenant__in=Tenant.objects.matching(filters.query).values("pk")[:FOUND_FIRST])
    else:
        rows = rows.exclude(tenant__in=closed())
    if filters.plan:
        rows = rows.filter(plan__slug=filters.plan)
    if filters.metric:
        rows = rows.filter(worst__code=filters.metric)
    return _in_state(rows, filters.state, at)


def closed() -> QuerySet[Tenant]:
    # Named, not joined: half the work where tenants are many and few are closed.
    return Tenant.objects.filter(status=Tenant.Status.CLOSED)


def last_allocation() -> QuerySet[Allocation]:
    """How costs were divided last."""
    return Allocation.objects.order_by("-month", "-version")[:1]


def _in_state(rows: QuerySet[Standing], state: str, at: datetime) -> QuerySet[Standing]:
    if state in GROUPS:
        return rows.filter(GROUPS[state][1])
    if state == SILENT:
        return rows.filter(Q(last_used=None) | Q(last_used__lt=at - SILENCE))
    if state == BELOW:
        losses = CostShare.objects.of_tenants().filter(margin__lt=0)
        return rows.filter(tenant__in=losses.filter(allocation__in=last_allocation()).values("tenant"))
    return rows.filter(state=state) if state else rows


def _used_at() -> Coalesce:
    return Coalesce("last_used", Value(NEVER), output_field=DateTimeField())
