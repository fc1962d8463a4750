"""The rows of the list of all tenants: each in words and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Exists, OuterRef, prefetch_related_objects
from django.utils.translation import gettext as _

from billing.models import Allowance, CostShare, Metric, Plan, PriceTier
from usage.models import Standing
from usage.reports import dates
from usage.reports.charts import Bar, bar
from usage.reports.meters import Look, look
from usage.reports.money import money
from usage.reports.overview_choice import State, last_allocation

FULL = 100  # percent
MOST_PERCENT = 999  # where `Standing.fill` ends


@dataclass(frozen=True, slots=True)
class Row:
    """One tenant as the list shows it."""

    slug: str
    name: str
    status: str  # empty for an active tenant
    plan: str
    metric: str  # the worst one's name; empty where nothing is limited
    percent: str
    forecast: str  # percent at the period's end; empty where nothing is said
    runs_out: str
    runs_out_of: str  # the metric, where that is not the worst one
    look: Look
    bar: Bar
    overage: str
    has_overage: bool
    margin: str  # of the month whose costs were divided last
    is_below_cost: bool
    refused: int
    last_used: str

    @property
    def spoken(self) -> str:
        """The bar in words, for those who hear the page."""
        facts = {"metric": self.metric, "percent": self.percent, "forecast": self.forecast}
        if not self.forecast:
            return _("%(metric)s: %(percent)s %% used") % facts
        return _("%(metric)s: %(percent)s %% used, forecast %(forecast)s %%") % facts


class Beyond(NamedTuple):
    """What becomes of use beyond a limit."""

    goes_on: bool
    is_priced: bool


STOPS = Beyond(goes_on=False, is_priced=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What all rows are written with: plans and metrics by id, allowances by both ids, margins by tenant id."""

    plans: Mapping[int, Plan]
    metrics: Mapping[int, Metric]
    beyond: Mapping[tuple[int, int], Beyond]
    margins: Mapping[int, Decimal]
    at: datetime


def rows_of(
    standings: Sequence[Standing], plans: Sequence[Plan], metrics: Sequence[Metric], at: datetime
) -> tuple[Row, ...]:
    """Three queries at most, however many rows."""
    prefetch_related_objects(standings, "tenant")
    known = Known(
        plans={one.pk: one for one in plans},
        metrics={one.pk: one for one in metrics},
        beyond=_beyond(),
        margins=margins(standings),
        at=at,
    )
    return tuple(_row(standing, known) for standing in standings)


def margins(standings: Sequence[Standing]) -> dict[int, Decimal]:
    """What was left of each tenant's revenue in the month whose costs were divided last."""
    shares = CostShare.objects.of_tenants().filter(allocation__in=last_allocation())
    return dict(shares.filter(tenant__in=[one.pk for one in standings]).values_list("tenant", "margin"))


def percent(value: int) -> str:
    return f"{value}" if value < MOST_PERCENT else f"{MOST_PERCENT}+"


def _beyond() -> dict[tuple[int, int], Beyond]:
    is_priced = Exists(PriceTier.objects.filter(allowance=OuterRef("pk")))
    rows = Allowance.objects.annotate(is_priced=is_priced).values_list(
        "plan", "metric", "beyond", "is_priced"
    )
    bills, stops = Allowance.Beyond.BILL, Allowance.Beyond.STOP
    return {
        (plan, metric): Beyond(beyond != stops, beyond == bills and priced)
        for plan, metric, beyond, priced in rows
    }


def _row(standing: Standing, known: Known) -> Row:
    tenant, state = standing.tenant, State(standing.state)
    worst = known.metrics.get(standing.worst_id or 0)
    first = known.metrics.get(standing.runs_out_of_id or 0)
    beyond = known.beyond.get((standing.plan_id, standing.worst_id or 0), STOPS)
    goes_on = state == State.OVER or (beyond.goes_on and state != State.FULL)
    margin = known.margins.get(standing.pk)
    return Row(
        slug=tenant.slug,
        name=tenant.name,
        status="" if tenant.is_active else tenant.get_status_display(),
        plan=known.plans[standing.plan_id].name,
        metric=worst.name if worst else "",
        percent=percent(standing.fill),
        forecast="" if standing.forecast is None else percent(standing.forecast),
        runs_out=dates.short(max(standing.runs_out, known.at.astimezone(UTC).date()))
        if standing.runs_out
        else "",
        runs_out_of=first.name if first and first != worst else "",
        look=look(state, beyond.is_priced),
        bar=bar(standing.fill, FULL, is_billed=goes_on, expected=standing.forecast),
        overage=money(standing.overage),
        has_overage=standing.overage > 0,
        margin="–" if margin is None else money(margin),
        is_below_cost=margin is not None and margin < 0,
        refused=standing.refused,
        last_used=ago(standing.last_used, known.at),
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
