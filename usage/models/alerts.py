"""What is to be told, what was crossed, and who was told of it."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models import Allowance, Metric, Plan, Statement
from tenants.models import Tenant
from usage.endpoints import Endpoint
from usage.models.counts import LOOSE


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

    Of a spend cap: no metric, `limit` its amount and `used` what was spent, in cents; `beyond` is stop or notify.

    `is_sent` is false for a threshold that was passed when it was not news: a limit was raised past it,
    or a higher one was crossed in the same step. `plan` and `beyond` (what happens at `limit`) are those of the
    crossing, so that a late mail still says what was true. A refusal by a burst may have no limit; one where a spend
    cap stops what is billed has `beyond` bill.
    """

    class Kind(models.TextChoices):
        THRESHOLD = "threshold", _("Threshold")
        REFUSED = "refused", _("First refusal")
        BILLED = "billed", _("Billing begins")
        CAP = "cap", _("Spend cap")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="alerts")
    metric = models.ForeignKey(Metric, models.PROTECT, null=True, related_name="+")
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
        return f"{self.tenant}: {self.metric or 'all'} {self.kind} {self.percent} %"


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
        STATEMENT = "statement", _("Statement")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=9, choices=Kind, default=Kind.ALERT)
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="deliveries")
    alert = models.ForeignKey(Alert, models.CASCADE, null=True, related_name="deliveries")
    statement = models.ForeignKey(
        Statement, models.CASCADE, null=True, related_name="deliveries", db_index=False
    )
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
            ),
            models.UniqueConstraint(
                fields=["statement", "channel", "target", "endpoint"],
                condition=models.Q(statement__isnull=False),
                nulls_distinct=False,
                name="one_delivery_of_a_statement_per_receiver",
            ),
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
