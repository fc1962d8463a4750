"""What tenants did: counts by period, hour and day, as PostgreSQL remembers them."""

from __future__ import annotations

from typing import Any

from django.db import models

from billing.models import Metric
from tenants.models import Tenant

# Rows of counts are many and written every second: PostgreSQL checks no foreign keys on them,
# Django refuses to delete what they name.
LOOSE: dict[str, Any] = {
    "on_delete": models.PROTECT,
    "db_constraint": False,
    "related_name": "+",
    "db_index": False,
}


class UsagePeriod(models.Model):
    """Units and refusals of one metric in one period and epoch; a total is the sum over epochs.

    `used` only moves up. Distinct metrics keep one row, of epoch 0: the number of `UsageMember` rows.
    """

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "period", "epoch")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    period = models.DateField()
    epoch = models.BigIntegerField()
    used = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)


class UsageLevel(models.Model):
    """Units added to and removed from a level within one epoch; the level is the sum of added less removed."""

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "epoch")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    epoch = models.BigIntegerField()
    added = models.BigIntegerField(default=0)
    removed = models.BigIntegerField(default=0)


class UsageMember(models.Model):
    """One different member seen in a period, e.g. an active user."""

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "period", "member")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    period = models.DateField()
    member = models.CharField(max_length=200)


class UsageHour(models.Model):
    """Units of a metric under one label in one hour and epoch. Partitioned by month."""

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "hour", "label", "epoch")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    hour = models.DateTimeField()
    label = models.CharField(max_length=48)
    epoch = models.BigIntegerField()
    quantity = models.BigIntegerField()


class LevelHour(models.Model):
    """How a level moved in one hour and epoch: units added and removed, its peak and its closing amount.

    Partitioned by month.
    """

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "hour", "epoch")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    hour = models.DateTimeField()
    epoch = models.BigIntegerField()
    added = models.BigIntegerField()
    removed = models.BigIntegerField()
    peak = models.BigIntegerField()
    closing = models.BigIntegerField()


class RefusalHour(models.Model):
    """Refused charges of a metric in one hour and epoch, by cause (limit, cap, burst). Partitioned by month."""

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "hour", "cause", "epoch")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    hour = models.DateTimeField()
    cause = models.CharField(max_length=10)
    epoch = models.BigIntegerField()
    refused = models.BigIntegerField()


class UsageDay(models.Model):
    """Units of a metric under one label on one closed UTC day, over all hours and epochs; kept for ever.

    The day comes before the metric in the keys of days: a page reads all metrics of some days.
    """

    pk = models.CompositePrimaryKey("tenant_id", "day", "metric_id", "label")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    day = models.DateField()
    metric = models.ForeignKey(Metric, **LOOSE)
    label = models.CharField(max_length=48)
    quantity = models.BigIntegerField()


class LevelDay(models.Model):
    """How a level moved on one closed day: its amount before the first move and after the last, and its peak."""

    pk = models.CompositePrimaryKey("tenant_id", "day", "metric_id")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    day = models.DateField()
    metric = models.ForeignKey(Metric, **LOOSE)
    opening = models.BigIntegerField()
    added = models.BigIntegerField()
    removed = models.BigIntegerField()
    peak = models.BigIntegerField()
    closing = models.BigIntegerField()


class RefusalDay(models.Model):
    """Refused charges of a metric on one closed day, by cause."""

    pk = models.CompositePrimaryKey("tenant_id", "day", "metric_id", "cause")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    day = models.DateField()
    metric = models.ForeignKey(Metric, **LOOSE)
    cause = models.CharField(max_length=10)
    refused = models.BigIntegerField()


class Daybook(models.Model):
    """Which days are closed: all before `open_from`. One row; none = no day was closed yet."""

    open_from = models.DateField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_daybook")]


class StaleDay(models.Model):
    """A closed day of a tenant whose hours may have changed since they were last added up.

    Rows are only added and taken, never shared: a day that is written to while it is added up gets another one.
    """

    tenant = models.ForeignKey(Tenant, **{**LOOSE, "on_delete": models.DO_NOTHING})
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "day"], name="stale_days_of_tenants")]
