"""Which plan a tenant is on and what it was given besides: subscriptions and overrides."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from billing.models.catalogue import QUANTITY, Metric
from billing.models.plans import Plan
from tenants.models import Tenant

SOON = timedelta(days=7)  # so long before its end people read that an override ends


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def running(self, at: datetime) -> SubscriptionQuerySet:
        """Subscriptions in force at `at`; a tenant has at most one."""
        return self.filter(models.Q(ends=None) | models.Q(ends__gt=at), starts__lte=at)

    def between(self, a: datetime, b: datetime) -> SubscriptionQuerySet:
        """Subscriptions in force at some time in [a, b)."""
        return self.filter(models.Q(ends=None) | models.Q(ends__gt=a), starts__lt=b)


class Subscription(models.Model):
    """A tenant is on a plan from `starts` until `ends` (exclusive; none = open).

    `author` and `reason` are of its beginning. `ended_by` and `end_reason` are of an end that nothing follows: where
    another subscription follows, that one says who and why.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions")
    starts = models.DateTimeField()
    ends = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    reason = models.CharField(max_length=250, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    end_reason = models.CharField(max_length=250, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["starts"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends=None) | models.Q(ends__gt=models.F("starts")),
                name="subscription_has_length",
            ),
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(ends=None), name="one_open_subscription_per_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant} on {self.plan}"


class OverrideQuerySet(models.QuerySet["Override"]):
    def ending(self, at: datetime) -> OverrideQuerySet:
        """In force at `at`, but soon not any more; the first to end first."""
        return self.filter(starts__lte=at, ends__gt=at, ends__lte=at + SOON).order_by("ends", "pk")


class Override(models.Model):
    """Gives one tenant more, or another amount, of a metric for a time; moves included and hard limit alike."""

    class Mode(models.TextChoices):
        SET = "set", _("Set the included amount to")
        ADD = "add", _("Add to the included amount")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="overrides")
    metric = models.ForeignKey(Metric, models.PROTECT, related_name="+")
    mode = models.CharField(max_length=3, choices=Mode, default=Mode.ADD)
    units = models.PositiveBigIntegerField(
        null=True, blank=True, validators=QUANTITY, help_text=_("Base units; empty with “set” = unlimited.")
    )
    reason = models.CharField(max_length=200)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    starts = models.DateTimeField()
    ends = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    objects = OverrideQuerySet.as_manager()

    class Meta:
        ordering = ["starts", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends=None) | models.Q(ends__gt=models.F("starts")),
                name="override_has_length",
            ),
            models.CheckConstraint(
                condition=models.Q(mode="set") | models.Q(units__isnull=False), name="override_adds_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.get_mode_display()} {self.units}"
