"""A metric that a tenant's plan does not have: which plans have it, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Metric, Plan
from tenants.models import Tenant
from usage import units
from usage.reports.meters import Meter
from usage.reports.readings import Reading


class PlanWithIt(NamedTuple):
    """A plan on offer, and what it includes."""

    name: str
    includes: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The page of such a metric; `others` are those that the plan has."""

    tenant: Tenant
    plan: Plan
    metric: Metric
    plans: tuple[PlanWithIt, ...]
    others: tuple[Meter, ...]

    @property
    def told(self) -> str:
        """“Bandwidth is not in your plan, Free.”"""
        text = _("%(metric)s are not in the plan %(plan)s.")
        if not units.is_plural(self.metric):
            text = _("%(metric)s is not in the plan %(plan)s.")
        return text % {"metric": self.metric.name, "plan": self.plan.name}


def absent_metric(read: Reading, code: str) -> Absent | None:
    """What to say of the metric of this code; None where there is no such metric. One query."""
    metric = Metric.objects.filter(code=code).first()
    if metric is None:
        return None
    return Absent(read.tenant, read.plan, metric, tuple(_plans(read, metric)), read.meters)


def _plans(read: Reading, metric: Metric) -> Iterator[PlanWithIt]:
    for plan in read.contracts.offered(read.plan):
        limit = read.contracts.entitlements(read.tenant, read.at, plan=plan).limits.get(metric.code)
        if limit is not None and plan.pk != read.plan.pk:
            no_limit = _("without a limit")
            includes = no_limit if limit.included is None else units.of_quantity(metric, limit.included)
            yield PlanWithIt(plan.name, includes)
