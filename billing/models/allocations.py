"""How bills are divided among tenants: the rules, and what came of them for each month in versions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from billing.allocation import Mode
from billing.models.catalogue import Metric
from billing.models.copying import copy_in
from tenants.models import Tenant

ANY = "*"


class CostRule(models.Model):
    """Whose a charge is: of the rules in their order the first that matches it says how it is split.

    Patterns may hold `*` and ignore case. A tag without a value matches whatever the tag says. What no rule matches
    is shared and kept apart.
    """

    class Driver(models.TextChoices):
        METRIC = "metric", _("By use of a metric")
        EVEN = "even", _("Evenly among active tenants")
        WEIGHTS = "weights", _("By fixed weights")
        TAG = "tag", _("Direct: the tag names the tenant")
        ACCOUNT = "account", _("Direct: the sub-account names the tenant")
        SHARED = "shared", _("Shared")

    class Sharing(models.TextChoices):
        APART = Mode.APART.value, _("Kept apart, as a row of its own")
        PROPORTIONAL = Mode.PROPORTIONAL.value, _("In proportion to each tenant's other cost")
        EVEN = Mode.EVEN.value, _("Evenly among active tenants")

    position = models.PositiveIntegerField(default=0, help_text=_("The first rule that matches counts."))
    name = models.CharField(max_length=60)
    service = models.CharField(
        max_length=200, default=ANY, help_text=_("“Amazon S3”, “Amazon *”, “*” = any.")
    )
    provider = models.CharField(max_length=60, blank=True, help_text=_("Empty = any."))
    sub_account = models.CharField(max_length=120, blank=True, help_text=_("Empty = any."))
    category = models.CharField(
        max_length=60, blank=True, help_text=_("“Usage”, “Tax”, “Credit”; empty = any.")
    )
    tag_key = models.CharField(_("tag"), max_length=128, blank=True, help_text=_("Empty = any."))
    tag_value = models.CharField(
        _("its value"), max_length=256, blank=True, help_text=_("Empty = whatever the tag says.")
    )
    driver = models.CharField(_("split"), max_length=8, choices=Driver)
    metric = models.ForeignKey(
        Metric, models.PROTECT, null=True, blank=True, related_name="+", help_text=_("Of “by use”.")
    )
    sharing = models.CharField(
        max_length=12, choices=Sharing, default=Sharing.APART, help_text=_("Of “shared”.")
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(driver="metric", metric__isnull=False)
                | (~models.Q(driver="metric") & models.Q(metric=None)),
                name="a_metric_where_one_drives",
            ),
            models.CheckConstraint(
                condition=~models.Q(driver="tag", tag_key=""), name="a_tag_where_one_names_tenants"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.driver == self.Driver.METRIC and self.metric_id is None:
            raise ValidationError({"metric": _("By use of which metric? Choose one.")})
        if self.driver != self.Driver.METRIC and self.metric_id is not None:
            raise ValidationError(
                {"metric": _("It would count for nothing: leave it empty, or split by use.")}
            )
        if self.driver == self.Driver.TAG and not self.tag_key:
            raise ValidationError({"tag_key": _("Which tag names the tenant? Enter its key.")})
        if self.tag_value and not self.tag_key:
            raise ValidationError({"tag_key": _("Of which tag is that the value? Enter its key.")})


class CostWeight(models.Model):
    """What share a tenant has of what a rule splits by fixed weights."""

    rule = models.ForeignKey(CostRule, models.CASCADE, related_name="weights", db_index=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    weight = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "tenant"], name="one_weight_per_tenant")]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.weight}"


class CostAlias(models.Model):
    """A name that tags or sub-accounts have for a tenant, beside its slug and id; case does not count."""

    value = models.CharField(max_length=256)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="cost_aliases")
    history = HistoricalRecords()

    class Meta:
        ordering = ["value"]
        verbose_name_plural = _("cost aliases")
        constraints = [
            models.UniqueConstraint(
                Lower("value"),
                name="one_tenant_per_alias",
                violation_error_message=_("This name stands for a tenant already: change that alias."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.value} → {self.tenant}"


class AllocationQuerySet(models.QuerySet["Allocation"]):
    def of(self, month: date) -> AllocationQuerySet:
        """All versions of a month, the newest first."""
        return self.filter(month=month).order_by("-version")


class Allocation(models.Model):
    """The bills of a calendar month (UTC) divided among tenants; the highest version counts.

    Until it is final it is replaced in its place. `bills` are the ids of those it divides, `rules` the number of the
    last change of a rule it knew of. `moved` says what a version changed against the one before: see
    `usage.costs.moves`. Amounts in HEADROOM_CURRENCY.
    """

    month = models.DateField(help_text=_("Its first day."))
    version = models.PositiveIntegerField(default=1)
    made_at = models.DateTimeField()
    is_final = models.BooleanField(default=False)
    note = models.CharField(max_length=250, blank=True)
    bills = models.JSONField[list[int], list[int]](default=list)
    rules = models.JSONField[list[int], list[int]](default=list)
    bill = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    to_tenants = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    shared = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    unallocated = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    revenue = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    moved = models.JSONField[dict[str, object], dict[str, object]](default=dict)

    objects = AllocationQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["month", "version"], name="one_allocation_per_version"),
            models.CheckConstraint(condition=models.Q(month__day=1), name="allocation_month_is_a_first"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}, version {self.version}"


class CostLine(models.Model):
    """One service of an allocation, or the part of it that one rule splits; `number` names it in shares.

    `strangers`: some of the names in it that no tenant has.
    """

    pk = models.CompositePrimaryKey("allocation_id", "number")
    allocation = models.ForeignKey(Allocation, models.CASCADE, related_name="costs", db_index=False)
    number = models.PositiveIntegerField()
    provider = models.CharField(max_length=60)
    service = models.CharField(max_length=200)
    rule = models.CharField(max_length=60, blank=True)  # empty: no rule matched
    driver = models.CharField(max_length=160)  # by what it was split, in words
    is_shared = models.BooleanField(default=False)
    strangers = models.JSONField[list[str], list[str]](default=list)
    to_tenants = models.DecimalField(max_digits=18, decimal_places=2)
    shared = models.DecimalField(max_digits=18, decimal_places=2)
    unallocated = models.DecimalField(max_digits=18, decimal_places=2)
    amount = models.DecimalField(max_digits=18, decimal_places=2)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.provider}, {self.service}"


class CostShareQuerySet(models.QuerySet["CostShare"]):
    COPIED = ("allocation_id", "kind", "tenant_id", "revenue", "cost", "margin", "lines")

    def of_tenants(self) -> CostShareQuerySet:
        """What tenants bear and bring in, without the rows of what nobody bears."""
        return self.filter(kind=CostShare.Kind.TENANT)

    def copy_in(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Add rows, their values as in COPIED, lines as the text of JSON."""
        copy_in(self, self.COPIED, rows)


class CostShare(models.Model):
    """What a tenant brings in and costs in an allocation; and what of it is shared, and what names nobody.

    `lines`: the cost by the number of its `CostLine`, as text with two decimals; nothing is left out.
    """

    class Kind(models.TextChoices):
        TENANT = "tenant", _("Tenant")
        SHARED = "shared", _("Shared, not split")
        UNALLOCATED = "none", _("Unallocated")

    allocation = models.ForeignKey(Allocation, models.CASCADE, related_name="shares", db_index=False)
    kind = models.CharField(max_length=6, choices=Kind, default=Kind.TENANT)
    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True, related_name="+")
    revenue = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    cost = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    margin = models.DecimalField(max_digits=18, decimal_places=2, default=Decimal(0))
    lines = models.JSONField[dict[str, str], dict[str, str]](default=dict)

    objects = CostShareQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["allocation", "kind", "tenant"], nulls_distinct=False, name="one_share_per_tenant"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="tenant", tenant__isnull=False)
                | (~models.Q(kind="tenant") & models.Q(tenant=None)),
                name="shares_of_tenants_name_them",
            ),
        ]
        indexes = [
            models.Index(
                fields=["allocation", "tenant"], condition=models.Q(margin__lt=0), name="shares_below_cost"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant or self.get_kind_display()}: {self.cost}"
