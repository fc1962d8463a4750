"""How far levels stood above what was included so far: kept, so that a flush need not read a month of hours."""

from __future__ import annotations

from django.db import models

from billing.models import Metric
from tenants.models import Tenant
from usage.models.counts import LOOSE


class LevelAccrual(models.Model):
    """Unit-hours of a level above what was included, from the period's first hour to before `through`.

    Holds for the included amounts in `steps`; with others, or after a late hour, it is added up anew.
    """

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "period")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    period = models.DateField()
    through = models.DateTimeField()
    steps = models.TextField()
    excess = models.DecimalField(max_digits=40, decimal_places=0)
