"""All plans as they are now: what each includes, and at which price; read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db.models import Exists, F, Model

from billing.limits import Limit, limit_of
from billing.models import Allowance, Metric, Override, Plan, PriceTier, SpendCap
from billing.periods import Period
from billing.rates import Rate, rate_of
from tenants.arrays import among

Part = TypeVar("Part", bound=Model)
# The parts of a row of the query below: a name before their columns, and how the plan leads there.
PARTS: Mapping[type[Model], tuple[str, str]] = {
    Allowance: ("allowance", "allowances"),
    Metric: ("metric", "allowances__metric"),
    PriceTier: ("tier", "allowances__tiers"),
}
COLUMNS = {
    f"{name}_{field.attname}": F(f"{path}__{field.attname}")
    for model, (name, path) in PARTS.items()
    for field in model._meta.concrete_fields
}


class NoDefaultPlan(LookupError):
    """HEADROOM_DEFAULT_PLAN names no plan."""


class Book:
    """The plans, and the limits of each, which all its tenants without overrides share. One query.

    It also says whether any of `tenant_ids` has caps or overrides, so that nobody pays a query for what few have.
    """

    def __init__(self, tenant_ids: Sequence[int]) -> None:
        self.plans: dict[int, Plan] = {}
        self.has_caps = self.has_overrides = False
        self._allowances: dict[int, list[Allowance]] = {}
        rows = Plan.objects.annotate(
            **COLUMNS,
            has_caps=Exists(SpendCap.objects.filter(among("tenant", tenant_ids))),
            has_overrides=Exists(Override.objects.filter(among("tenant", tenant_ids))),
        )
        order = ("position", "slug", "allowances__metric__position", "allowances__metric__code")
        for plan in rows.order_by(*order, F("allowances__tiers__up_to").asc(nulls_last=True)):
            self._take(plan)
        self._limits = {pk: self._resolve(pk, ()) for pk in self.plans}
        self._rates: dict[tuple[int, Period], Mapping[str, Rate]] = {}

    @property
    def default(self) -> Plan:
        """The plan of who has none. Raises NoDefaultPlan."""
        slug = settings.HEADROOM_DEFAULT_PLAN
        for plan in self.plans.values():
            if plan.slug == slug:
                return plan
        raise NoDefaultPlan(f"HEADROOM_DEFAULT_PLAN={slug!r} names no plan: add it.")

    def limits(self, plan: Plan, overrides: Sequence[Override]) -> Mapping[str, Limit]:
        return self._resolve(plan.pk, overrides) if overrides else self._limits[plan.pk]

    def rates(
        self, plan: Plan, overrides: Sequence[Override], period: Period, at: datetime
    ) -> Mapping[str, Rate]:
        """How the plan's metrics are billed; tenants without overrides share them."""
        if not overrides and (plan.pk, period) in self._rates:
            return self._rates[plan.pk, period]
        rates = {
            one.metric.code: rate_of(one, overrides, period, at) for one in self._allowances.get(plan.pk, [])
        }
        if not overrides:
            self._rates[plan.pk, period] = rates
        return rates

    def _resolve(self, plan_id: int, overrides: Sequence[Override]) -> Mapping[str, Limit]:
        return {one.metric.code: limit_of(one, overrides) for one in self._allowances.get(plan_id, [])}

    def _take(self, row: Plan) -> None:
        """A row is a plan, with one allowance of it if it has any, with one tier of that; they come in their order."""
        self.has_caps, self.has_overrides = vars(row)["has_caps"], vars(row)["has_overrides"]
        self.plans.setdefault(row.pk, row)
        if vars(row)["allowance_id"] is None:
            return
        mine = self._allowances.setdefault(row.pk, [])
        if not mine or mine[-1].pk != vars(row)["allowance_id"]:
            self._tiers: list[PriceTier] = []
            mine.append(_allowance(row, self.plans[row.pk], self._tiers))
        if vars(row)["tier_id"] is not None:
            self._tiers.append(_part(PriceTier, row))


def _part(model: type[Part], row: Plan) -> Part:
    """What the row says of one model."""
    columns = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(row._state.db, columns, [vars(row)[f"{PARTS[model][0]}_{name}"] for name in columns])


def _allowance(row: Plan, plan: Plan, tiers: list[PriceTier]) -> Allowance:
    """The allowance of the row with its metric, plan and tiers, to which the rows that follow add."""
    allowance = _part(Allowance, row)
    allowance.plan, allowance.metric = plan, _part(Metric, row)
    # As `prefetch_related` leaves them, but without its query.
    found = PriceTier.objects.none()
    found._result_cache = tiers
    vars(allowance)["_prefetched_objects_cache"] = {"tiers": found}
    return allowance
