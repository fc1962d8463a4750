"""What forecasts expect of each tenant's present period."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from billing.models import Metric
from tenants.models import Tenant
from usage.models.counts import LOOSE


class Expectation(models.Model):
    """Units of a metric that are still to come in a period; learnt once a day, so that a flush reads no history.

    `rest` has them at the beginning of `made_on` and of each day after it; days after which nothing comes are cut.
    """

    pk = models.CompositePrimaryKey("tenant_id", "metric_id")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    period = models.DateField()
    made_on = models.DateField()
    rest = ArrayField(models.BigIntegerField())
