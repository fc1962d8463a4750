"""What a metric's page says of now, whatever its window: the figures that are polled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.models import Plan
from tenants.models import Tenant
from usage.reports.meters import Meter
from usage.reports.readings import Reading
from usage.reports.summary import Tile, blocked, meter_tiles
from usage.reports.versions import version_of


class NoSuchMetric(LookupError):
    """The tenant's plan has no metric of this code."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One metric as it stands; `others` are all of the plan's, the riskiest first."""

    tenant: Tenant
    plan: Plan
    at: datetime
    meter: Meter
    others: tuple[Meter, ...]
    causes: Mapping[str, int]
    counted_to: datetime
    is_delayed: bool

    @property
    def refused(self) -> int:
        """Refused charges of the last 24 hours."""
        return sum(self.causes.values())

    @property
    def blocked(self) -> str:
        return blocked(self.causes)

    @property
    def tiles(self) -> list[Tile]:
        return list(meter_tiles(self.meter, self.plan))

    @property
    def version(self) -> str:
        """Differs whenever the figures would look different, except for “counted to”."""
        return version_of([self.meter], self.causes, self.plan.name, self.is_delayed)


def figures_of(read: Reading, code: str) -> Figures:
    """The figures of the metric of this code. Raises NoSuchMetric."""
    meter = next((one for one in read.meters if one.metric.code == code), None)
    if meter is None:
        raise NoSuchMetric(f"{read.plan} has no metric {code!r}.")
    return Figures(
        tenant=read.tenant,
        plan=read.plan,
        at=read.at,
        meter=meter,
        others=read.meters,
        causes=read.counts.refused.get(meter.metric.pk, {}),
        counted_to=read.counted_to,
        is_delayed=read.is_delayed,
    )
