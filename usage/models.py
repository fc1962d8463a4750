"""What tenants did, as PostgreSQL remembers it, and what was told to whom."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from billing.models import Allowance, Metric, Plan
from tenants.models import Tenant
from usage.endpoints import AlertChoice, Endpoint, MailChoice

__all__ = ["AlertChoice", "Endpoint", "MailChoice"]  # beside those below: where and to whom alerts go

# Rows of counts are many and written every second: PostgreSQL checks no foreign keys on them,
# Django refuses to delete what they name.
LOOSE: dict[str, Any] = {
    "on_delete": models.PROTECT,
    "db_constraint": False,
    "related_name": "+",
    "db_index": False,
}
NOTE = """
INSERT INTO usage_heartbeat AS t (name, at, detail) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = excluded.detail WHERE t.at <= excluded.at
"""


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


class Standing(models.Model):
    """Where a tenant stands now: what “All tenants” reads. One row a tenant, written by the flush.

    `fill` and `risk` are whole percents of the worst metric, capped, so that their index moves seldom.
    """

    class State(models.TextChoices):
        OK = "ok", _("OK")
        NEAR = "near", _("Approaching")
        FULL = "full", _("At limit")
        OVER = "over", _("Over · billed")

    tenant = models.OneToOneField(Tenant, models.CASCADE, primary_key=True, related_name="standing")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    period = models.DateField()
    period_ends = models.DateTimeField()
    worst = models.ForeignKey(Metric, models.SET_NULL, null=True, related_name="+")
    fill = models.PositiveSmallIntegerField(default=0)
    risk = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=4, choices=State, default=State.OK)
    overage = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    refused = models.BigIntegerField(default=0)
    last_used = models.DateTimeField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["-risk", "tenant"], name="standing_by_risk"),
            models.Index(fields=["plan", "-risk", "tenant"], name="standing_by_plan"),
            models.Index(fields=["state", "-risk", "tenant"], name="standing_by_state"),
            models.Index(fields=["period_ends"], name="standing_to_roll"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.get_state_display()}, {self.fill} %"


class Threshold(models.Model):
    """At which percents of its limit a tenant wants to hear of a metric; no metric = of all of them."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="thresholds")
    metric = models.ForeignKey(Metric, models.CASCADE, null=True, blank=True, related_name="+")
    percents = ArrayField(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(1000)]),
        blank=True,
        help_text=_("Whole percents, separated by commas: 80,90,95,100. Empty = none."),
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "metric"], nulls_distinct=False, name="one_threshold_row_per_metric"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.metric or 'all metrics'} at {self.percents}"


class JudgedLimit(models.Model):
    """What a metric was last judged against in a period: tells a raised limit from a crossed threshold.

    `refused` is the period's refusals when these limits came: only later ones are news about them. `used` follows
    the use from the lowest threshold on: what was passed before a limit was raised is no news.
    """

    pk = models.CompositePrimaryKey("tenant_id", "metric_id", "period")
    tenant = models.ForeignKey(Tenant, **LOOSE)
    metric = models.ForeignKey(Metric, **LOOSE)
    period = models.DateField()
    limit = models.BigIntegerField(null=True)
    included = models.BigIntegerField(null=True)
    refused = models.BigIntegerField(default=0)
    used = models.BigIntegerField(default=0)


class Alert(models.Model):
    """One crossing, told at most once: unique on tenant, metric, period, kind, percent and limit.

    `is_sent` is false for a threshold that was passed when it was not news: a limit was raised past it,
    or a higher one was crossed in the same step. `plan` and `beyond` (what happens at `limit`) are those of the
    crossing, so that a late mail still says what was true. A refusal by a burst may have no limit.
    """

    class Kind(models.TextChoices):
        THRESHOLD = "threshold", _("Threshold")
        REFUSED = "refused", _("First refusal")
        BILLED = "billed", _("Billing begins")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="alerts")
    metric = models.ForeignKey(Metric, models.PROTECT, related_name="+")
    plan = models.ForeignKey(Plan, models.SET_NULL, null=True, related_name="+")
    period = models.DateField()
    kind = models.CharField(max_length=9, choices=Kind, default=Kind.THRESHOLD)
    percent = models.PositiveSmallIntegerField(default=0)
    limit = models.BigIntegerField(null=True)
    used = models.BigIntegerField()
    beyond = models.CharField(max_length=6, choices=Allowance.Beyond, default=Allowance.Beyond.STOP)
    is_sent = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "metric", "period", "kind", "percent", "limit"],
                nulls_distinct=False,
                name="one_alert_per_crossing",
            )
        ]
        indexes = [models.Index(fields=["tenant", "-at"], name="alerts_newest_first")]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.metric} {self.kind} {self.percent} %"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, at: datetime) -> DeliveryQuerySet:
        """Deliveries to try at `at`: waiting, or leased by a worker that did not come back."""
        return self.filter(status=Delivery.Status.WAITING, due_at__lte=at).order_by("due_at", "pk")


class Delivery(models.Model):
    """One message to one receiver through one channel: the notification queue.

    A worker that takes it moves `due_at` past its lease, so that a dead worker's delivery is taken again.
    `tenant` is whose log it stands in, none for operations'. `endpoint` is where it goes; of the mail that says one
    was disabled, the one it is about. `answer` (an HTTP status) and `took_ms` are of the last attempt.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Delivered")
        DEAD = "dead", _("Given up")

    class Kind(models.TextChoices):
        ALERT = "alert", _("Alert")
        TEST = "test", _("Test")
        DISABLED = "disabled", _("Channel disabled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.ALERT)
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="deliveries")
    alert = models.ForeignKey(Alert, models.CASCADE, null=True, related_name="deliveries")
    endpoint = models.ForeignKey(Endpoint, models.SET_NULL, null=True, related_name="deliveries")
    channel = models.CharField(max_length=16)
    target = models.CharField(max_length=254)
    status = models.CharField(max_length=7, choices=Status, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    answer = models.PositiveSmallIntegerField(null=True)
    took_ms = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "target", "endpoint"],
                condition=models.Q(alert__isnull=False),
                nulls_distinct=False,
                name="one_delivery_per_receiver",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"], condition=models.Q(status="waiting"), name="deliveries_due"
            ),
            models.Index(fields=["tenant", "-created_at", "-id"], name="deliveries_of_tenants"),
            models.Index(fields=["-created_at", "-id"], name="deliveries_newest_first"),
            models.Index(
                fields=["-created_at", "-id"], condition=~models.Q(status="sent"), name="deliveries_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.target}: {self.get_status_display()}"


class Notice(models.Model):
    """A line of the staff inbox: an alert that concerns operations, or a tenant that asks for a plan."""

    class Kind(models.TextChoices):
        ALERT = "alert", _("Alert")
        PLAN = "plan", _("Plan wanted")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=5, choices=Kind)
    delivery = models.OneToOneField(Delivery, models.CASCADE, null=True, related_name="notice")
    plan = models.ForeignKey(Plan, models.CASCADE, null=True, related_name="+")
    text = models.CharField(max_length=300)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["-at", "-id"], name="notices_newest_first"),
            models.Index(fields=["-at"], condition=models.Q(seen_at=None), name="notices_unseen"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "plan"],
                condition=models.Q(kind="plan", seen_at=None),
                name="one_open_wish_per_plan",
            )
        ]

    def __str__(self) -> str:
        return self.text


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def note(self, name: str, at: datetime, detail: dict[str, Any]) -> None:
        """Write down that `name` ran at `at`, unless it has run since: two workers may finish out of order."""
        with connection.cursor() as cursor:
            cursor.execute(NOTE, [name, at, json.dumps(detail)])


class Heartbeat(models.Model):
    """What ran last: when, and what it says of that; one row for each chore, and for each process in an outage."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
