"""All tenants by risk: what “Tenants” shows to operations. Reads one row a tenant, `Standing`, and no counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from billing.models import Allowance, Metric, Plan, PriceTier
from tenants.models import Tenant
from usage.models import Standing
from usage.reports import keyset
from usage.reports.charts import Bar, bar
from usage.reports.meters import Look, look
from usage.reports.money import money
from usage.states import NEAR

State = Standing.State
SILENT = "silent"  # beside the states: tenants that have not used anything for a day
SILENCE = timedelta(hours=24)
FULL = 100  # percent
MOST_PERCENT = 999  # where `Standing.fill` ends
# Keeps PostgreSQL from testing every tenant in the order of risk until it has a page: a search that finds few
# would read them all. It finds the tenants first, by their index.
FOUND_FIRST = 1_000_000

BY_RISK: keyset.Order[Standing] = keyset.Order(
    salt="usage.overview",
    first="risk",
    second="tenant_id",
    is_second_descending=False,
    place=lambda standing: [standing.risk, standing.tenant_id],
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; empty = everything. Values that name nothing are empty."""

    query: str = ""
    plan: str = ""
    state: str = ""
    metric: str = ""

    @property
    def is_narrow(self) -> bool:
        return any((self.query, self.plan, self.state, self.metric))

    def address(self, after: str | None = None) -> str:
        """The query string of this list's page, empty for the first page of all."""
        values = {
            "q": self.query,
            "plan": self.plan,
            "state": self.state,
            "metric": self.metric,
            "after": after,
        }
        given = {name: value for name, value in values.items() if value}
        return f"?{urlencode(given)}" if given else ""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many tenants there are and how they stand."""

    tenants: int
    stopped: int
    over: int
    near: int  # at 80 % or more, with those at or over
    refusals: int  # charges in the tenants' current periods
    refused_tenants: int

    @property
    def at_limit(self) -> int:
        return self.stopped + self.over


@dataclass(frozen=True, slots=True)
class Row:
    """One tenant as the list shows it."""

    slug: str
    name: str
    status: str  # empty for an active tenant
    plan: str
    metric: str  # the worst one's name; empty where nothing is limited
    percent: str
    look: Look
    bar: Bar
    overage: str
    has_overage: bool
    refused: int
    last_used: str

    @property
    def spoken(self) -> str:
        """The bar in words, for those who hear the page."""
        return _("%(metric)s: %(percent)s %% used") % {"metric": self.metric, "percent": self.percent}


@dataclass(frozen=True)
class Overview:
    """One page of tenants, the figures above it, and what it can be narrowed to."""

    filters: Filters
    summary: Summary
    rows: tuple[Row, ...]
    after: str  # this page's cursor, empty for the first
    previous: str | None
    next: str | None
    plans: tuple[Plan, ...]
    metrics: tuple[Metric, ...]
    counted_to: datetime

    @property
    def states(self) -> list[tuple[str, str]]:
        known = [(state.value, str(state.label)) for state in (State.FULL, State.OVER, State.NEAR, State.OK)]
        return [*known, (SILENT, _("Unused for 24 h"))]

    @cached_property
    def version(self) -> str:
        """Differs whenever the page would look different, except for “counted to”."""
        shown = (self.filters, self.summary, self.rows, self.previous, self.next)
        return sha256(repr(shown).encode()).hexdigest()[:16]

    @property
    def address(self) -> str:
        return self.filters.address(self.after)

    @property
    def previous_address(self) -> str:
        return self.filters.address(self.previous)

    @property
    def next_address(self) -> str:
        return self.filters.address(self.next)


def overview(
    *,
    query: str = "",
    plan: str = "",
    state: str = "",
    metric: str = "",
    after: str | None = None,
    size: int = 50,
    at: datetime,
) -> Overview:
    """A page of tenants, riskiest first: found by `query` (id, or how words of name or slug begin), on the plan
    (slug), in the state (or `SILENT`), with the metric (code) as their worst; `after` is another page's cursor.

    At most six queries, however many tenants there are.
    """
    plans, metrics = tuple(Plan.objects.all()), tuple(Metric.objects.all())
    filters = Filters(
        query=query.strip(),
        plan=plan if any(one.slug == plan for one in plans) else "",
        state=state if state in (*State.values, SILENT) else "",
        metric=metric if any(one.code == metric for one in metrics) else "",
    )
    narrowed = _narrowed(filters, plans, metrics, at)
    page = keyset.page(narrowed, BY_RISK, after=after, size=size)
    priced = _priced() if any(one.state == State.OVER for one in page.rows) else set()
    return Overview(
        filters=filters,
        summary=_summary(),
        rows=tuple(_row(standing, priced, at) for standing in page.rows),
        after=after or "",
        previous=page.previous,
        next=page.next,
        plans=plans,
        metrics=metrics,
        counted_to=at,
    )


def _narrowed(
    filters: Filters, plans: tuple[Plan, ...], metrics: tuple[Metric, ...], at: datetime
) -> QuerySet[Standing]:
    rows = Standing.objects.select_related("tenant", "plan", "worst")
    if filters.query:
        rows = rows.filter(tenant__in=Tenant.objects.matching(filters.query).values("pk")[:FOUND_FIRST])
    else:
        rows = rows.exclude(tenant__status=Tenant.Status.CLOSED)
    if filters.plan:
        rows = rows.filter(plan=next(one for one in plans if one.slug == filters.plan))
    if filters.metric:
        rows = rows.filter(worst=next(one for one in metrics if one.code == filters.metric))
    if filters.state == SILENT:
        return rows.filter(Q(last_used=None) | Q(last_used__lt=at - SILENCE))
    return rows.filter(state=filters.state) if filters.state else rows


def _summary() -> Summary:
    # Named, not joined: half the work where tenants are many and few are closed.
    closed = Tenant.objects.filter(status=Tenant.Status.CLOSED)
    figures = Standing.objects.exclude(tenant__in=closed).aggregate(
        tenants=Count("pk"),
        stopped=Count("pk", filter=Q(state=State.FULL)),
        over=Count("pk", filter=Q(state=State.OVER)),
        near=Count("pk", filter=Q(fill__gte=NEAR)),
        refusals=Sum("refused", default=0),
        refused_tenants=Count("pk", filter=Q(refused__gt=0)),
    )
    return Summary(**figures)


def _priced() -> set[tuple[int, int]]:
    """Plans and metrics (ids) of which more than is included costs something."""
    tiers = PriceTier.objects.filter(allowance__beyond=Allowance.Beyond.BILL)
    return set(tiers.values_list("allowance__plan_id", "allowance__metric_id"))


def _row(standing: Standing, priced: set[tuple[int, int]], at: datetime) -> Row:
    tenant, state, worst = standing.tenant, State(standing.state), standing.worst
    is_priced = worst is not None and (standing.plan_id, worst.pk) in priced
    return Row(
        slug=tenant.slug,
        name=tenant.name,
        status="" if tenant.is_active else tenant.get_status_display(),
        plan=standing.plan.name,
        metric=worst.name if worst else "",
        percent=f"{standing.fill}" if standing.fill < MOST_PERCENT else f"{MOST_PERCENT}+",
        look=look(state, is_priced),
        bar=bar(standing.fill, FULL, is_billed=state == State.OVER),
        overage=money(standing.overage),
        has_overage=standing.overage > 0,
        refused=standing.refused,
        last_used=ago(standing.last_used, at),
    )


def ago(then: datetime | None, at: datetime) -> str:
    """How long ago, in one unit: “under 1 min”, “12 min”, “3 h”, “2 d”; a dash for never."""
    if then is None:
        return "–"
    minutes = int((at - then).total_seconds()) // 60
    if minutes < 1:
        return _("under 1 min")
    if minutes < 60:
        return _("%d min") % minutes
    return _("%d h") % (minutes // 60) if minutes < 1440 else _("%d d") % (minutes // 1440)
