"""What tenants may use and what it costs: metrics, plans, allowances, prices, subscriptions, overrides."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from tenants.models import Tenant

# The largest quantity that Lua's numbers (IEEE doubles) hold exactly.
MAX_QUANTITY = 2**53

QUANTITY = [MinValueValidator(0), MaxValueValidator(MAX_QUANTITY)]


class Metric(models.Model):
    """Something counted; a row, so that operations can add one without a release."""

    class Kind(models.TextChoices):
        SUM = "sum", _("Sum: adds over the period")
        LEVEL = "level", _("Level: a standing amount, up and down")
        DISTINCT = "distinct", _("Distinct: different members seen in the period")

    class Unit(models.TextChoices):
        COUNT = "count", _("Count")
        BYTES = "bytes", _("Bytes")

    class OnOutage(models.TextChoices):
        ALLOW = "allow", _("Allow, and count afterwards")
        REFUSE = "refuse", _("Refuse with 503")

    code = models.CharField(
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", _("Small letters, digits and _; a letter first."))],
    )
    name = models.CharField(max_length=60, help_text=_("As people read it: “API calls”."))
    noun = models.CharField(max_length=30, help_text=_("What is counted, in the plural: “calls”."))
    kind = models.CharField(max_length=8, choices=Kind)
    unit = models.CharField(max_length=5, choices=Unit, default=Unit.COUNT)
    on_outage = models.CharField(max_length=6, choices=OnOutage, default=OnOutage.ALLOW)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name


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


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def running(self, at: datetime) -> SubscriptionQuerySet:
        """Subscriptions in force at `at`; a tenant has at most one."""
        return self.filter(models.Q(ends=None) | models.Q(ends__gt=at), starts__lte=at)

    def between(self, a: datetime, b: datetime) -> SubscriptionQuerySet:
        """Subscriptions in force at some time in [a, b)."""
        return self.filter(models.Q(ends=None) | models.Q(ends__gt=a), starts__lt=b)


class Subscription(models.Model):
    """A tenant is on a plan from `starts` until `ends` (exclusive; none = open)."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="subscriptions")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions")
    starts = models.DateTimeField()
    ends = models.DateTimeField(null=True, blank=True)

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


class Entitlement(models.Model):
    """The version of what a tenant may use; a tenant without a row is at version 0.

    Raised under its row lock by whatever changes the limits, so that of two states the newer has the higher number.
    """

    tenant = models.OneToOneField(Tenant, models.CASCADE, primary_key=True)
    version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.tenant}: version {self.version}"


class EntitlementChangeQuerySet(models.QuerySet["EntitlementChange"]):
    def waiting(self) -> EntitlementChangeQuerySet:
        """Changes that counting has not taken over yet, oldest first."""
        return self.filter(felt_at=None).order_by("pk")

    def unjudged(self) -> EntitlementChangeQuerySet:
        """Changes that counting has taken over, but that thresholds were not judged after."""
        return self.filter(felt_at__isnull=False, judged_at=None).order_by("pk")


class EntitlementChange(models.Model):
    """One change of what a tenant may use: who, when, why; waits here until counting has taken it over."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="entitlement_changes")
    version = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=250)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    felt_at = models.DateTimeField(null=True)
    judged_at = models.DateTimeField(null=True)

    objects = EntitlementChangeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "version"], name="one_change_per_version")]
        indexes = [models.Index(fields=["id"], condition=models.Q(judged_at=None), name="changes_waiting")]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.reason}"
