"""The shares of an allocation as PostgreSQL reads them: what each bears, and what is left of its revenue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from django.conf import settings
from django.db.models import (
    Case,
    Count,
    DecimalField,
    ExpressionWrapper,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce

from billing.models import CostLine, CostShare, Plan, Subscription
from usage.costs.months import Month
from usage.reports.cost_choice import Choice
from usage.reports.cost_columns import Column
from usage.reports.cost_flow import NOTHING, sum_of

MONEY: DecimalField[Any, Any] = DecimalField(max_digits=18, decimal_places=2)
EXACT: DecimalField[Any, Any] = DecimalField(max_digits=60, decimal_places=20)
FAR = Decimal(10) ** 12  # percent: where rows without revenue stand

BELOW, ABOVE = "below", "share"  # what the rows may be narrowed to
IS_TENANT = Q(kind=CostShare.Kind.TENANT)
IS_BELOW = Q(left__lt=0)
IS_ABOVE = Q(excess__gt=0)
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all tenants: how many, what they bring in and bear, who is below cost; and what all rows bear together."""

    tenants: int
    income: Decimal
    burden: Decimal
    below: int
    loss: Decimal
    above: int
    all_rows: Decimal


class Shares:
    """The shares, each with what it bears (`borne`) and what is left of its revenue (`left`).

    Of all lines of the allocation, or of those of the provider that is looked at.
    """

    def __init__(self, choice: Choice, lines: Sequence[CostLine]) -> None:
        self._choice = choice
        income, burden = Value(choice.allocation.revenue), Value(sum_of(lines, "to_tenants"))
        borne = _added([line.number for line in lines]) if choice.asked.provider else F("cost")
        self._all = (
            CostShare.objects.filter(allocation=choice.allocation)
            .annotate(borne=borne)
            .annotate(
                left=_exactly(F("revenue") - F("borne")),
                # The share of all cost less the share of all revenue, without dividing: both sums are above zero.
                excess=_exactly(F("borne") * income - F("revenue") * burden),
            )
        )

    @property
    def tenants(self) -> QuerySet[CostShare]:
        return self._all.filter(IS_TENANT).select_related("tenant")

    def sums(self) -> Sums:
        """One query."""
        found = self._all.aggregate(
            tenants=Count("pk", filter=IS_TENANT),
            income=Sum("revenue", filter=IS_TENANT, default=NOTHING),
            burden=Sum("borne", filter=IS_TENANT, default=NOTHING),
            below=Count("pk", filter=IS_TENANT & IS_BELOW),
            loss=Sum("left", filter=IS_TENANT & IS_BELOW, default=NOTHING),
            above=Count("pk", filter=IS_TENANT & IS_ABOVE),
            all_rows=Sum("borne", default=NOTHING),
        )
        return Sums(**found)

    def narrowed(self, only: str) -> QuerySet[CostShare]:
        """All tenants, those below cost, or those that bear more of the cost than they bring in of the revenue."""
        condition = {BELOW: IS_BELOW, ABOVE: IS_ABOVE}.get(only)
        return self.tenants.filter(condition) if condition else self.tenants

    def sorted(self, rows: QuerySet[CostShare], sort: str, columns: Sequence[Column]) -> QuerySet[CostShare]:
        """By a column, the other way round with a “-” before it; with the plan each tenant was on."""
        name, down = sort.removeprefix("-"), sort.startswith("-")
        column = next((one for one in columns if one.key == name), None)
        by = _added(column.numbers) if column else SORTS[name]
        then = F("left").desc() if down else F("left").asc()
        return rows.annotate(plan=_plan(self._choice)).order_by(by.desc() if down else by.asc(), then, "pk")


# Who brings in nothing has no percent: first where it costs something, last where it does not.
RATE = Case(
    When(revenue__gt=0, then=ExpressionWrapper(F("left") / F("revenue"), output_field=EXACT)),
    When(IS_BELOW, then=Value(-FAR)),
    default=Value(FAR),
    output_field=EXACT,
)
SORTS: dict[str, Any] = {
    "percent": RATE,
    "name": F("tenant__name"),
    "revenue": F("revenue"),
    "cost": F("borne"),
    "margin": F("left"),
}


def _added(numbers: Sequence[int]) -> Any:
    """What a share bears of these lines. A function, as Django takes a key of digits for a place in a list."""
    texts = (
        Func(F("lines"), Value(str(number)), function="jsonb_extract_path_text", output_field=TextField())
        for number in numbers
    )
    parts: list[Any] = [Coalesce(Cast(text, MONEY), Value(NOTHING, output_field=MONEY)) for text in texts]
    return reduce(add, parts, Value(NOTHING, output_field=MONEY))


def _exactly(expression: Any) -> ExpressionWrapper[Any]:
    return ExpressionWrapper(expression, output_field=EXACT)


def _plan(choice: Choice) -> Any:
    """The plan at the end of the days that are looked at."""
    at = min(choice.at, Month(choice.allocation.month).ends - MOMENT)
    running = Subscription.objects.running(at).filter(tenant=OuterRef("tenant")).values("plan__name")
    default = Plan.objects.filter(slug=settings.HEADROOM_DEFAULT_PLAN).values("name")
    return Coalesce(Subquery(running[:1]), Subquery(default[:1]))
