"""What is offered: plans, what they include of each metric, and the price of what goes beyond."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from billing.models.catalogue import QUANTITY, Metric


class PlanQuerySet(models.QuerySet["Plan"]):
    def public(self) -> PlanQuerySet:
        """Plans shown to tenants, cheapest first."""
        return self.filter(is_public=True).order_by("position", "base_fee")


class Plan(models.Model):
    """A named set of allowances with a base fee per month, in HEADROOM_CURRENCY."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    base_fee = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), validators=[MinValueValidator(Decimal(0))]
    )
    is_public = models.BooleanField(default=True, help_text=_("Shown to tenants on their plan page."))
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords()

    objects = PlanQuerySet.as_manager()

    class Meta:
        ordering = ["position", "slug"]

    def __str__(self) -> str:
        return self.name


class Allowance(models.Model):
    """What a plan includes of a metric, in base units, and what happens beyond it."""

    class Beyond(models.TextChoices):
        STOP = "stop", _("Stop: refuse")
        BILL = "bill", _("Bill: go on at a price")
        NOTIFY = "notify", _("Notify only")

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="allowances")
    metric = models.ForeignKey(Metric, models.PROTECT, related_name="allowances")
    included = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        validators=QUANTITY,
        help_text=_("Base units (bytes, not MB); empty = unlimited."),
    )
    beyond = models.CharField(max_length=6, choices=Beyond, default=Beyond.STOP)
    hard_limit = models.PositiveBigIntegerField(
        null=True, blank=True, validators=QUANTITY, help_text=_("Where even billed use stops; empty = never.")
    )
    burst = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(60_000_000)],
        help_text=_("At most so many in a minute; empty = no such limit."),
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["metric__position", "metric__code"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "metric"], name="one_allowance_per_plan_and_metric"),
        ]

    def __str__(self) -> str:
        return f"{self.plan}: {self.metric}"


class PriceTier(models.Model):
    """The price of units beyond the included ones, graduated; a flat price is one tier without an end.

    `up_to` counts units beyond the included amount; the last tier has none. `price` is per `per` base units.
    """

    allowance = models.ForeignKey(Allowance, models.CASCADE, related_name="tiers")
    up_to = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        validators=QUANTITY,
        help_text=_("Units beyond the included ones; empty = all the rest."),
    )
    price = models.DecimalField(max_digits=18, decimal_places=9, validators=[MinValueValidator(Decimal(0))])
    per = models.PositiveBigIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("Base units the price is for: 1 000 000 for 1 MB."),
    )
    rounds_up = models.BooleanField(
        _("whole packages"),
        default=False,
        db_default=False,
        help_text=_("A begun package of so many units costs as much as a whole one."),
    )
    history = HistoricalRecords()

    class Meta:
        ordering = [models.F("up_to").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(
                fields=["allowance", "up_to"], nulls_distinct=False, name="one_tier_per_end"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price.normalize():f} per {self.per}"
