"""What was billed: one document per tenant and period that never changes, its adjustments, and what is next."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant


class StatementQuerySet(models.QuerySet["Statement"]):
    def of(self, tenant: Tenant) -> StatementQuerySet:
        """The tenant's statements and adjustments, newest period first."""
        return self.filter(tenant=tenant).order_by("-period", "-pk")

    def originals(self) -> StatementQuerySet:
        """Statements alone, without what adjusts them."""
        return self.filter(kind=Statement.Kind.STATEMENT)


class Statement(models.Model):
    """What a tenant owes for the period from `period` to before `until`; an adjustment says what differs from that.

    `document` holds all that is shown, with every price that was used: see `billing.documents`. The database
    refuses to change or delete a row.
    """

    class Kind(models.TextChoices):
        STATEMENT = "statement", _("Statement")
        ADJUSTMENT = "adjustment", _("Adjustment")

    number = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.STATEMENT)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="statements", db_index=False)
    of = models.ForeignKey("self", models.PROTECT, null=True, related_name="adjustments")
    period = models.DateField()
    until = models.DateField()
    issued_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    base_fee = models.DecimalField(max_digits=18, decimal_places=2)
    overage = models.DecimalField(max_digits=18, decimal_places=2)
    total = models.DecimalField(max_digits=18, decimal_places=2)
    document = models.JSONField()

    objects = StatementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "period"],
                condition=models.Q(kind="statement"),
                name="one_statement_per_period",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="statement", of=None) | models.Q(kind="adjustment", of__isnull=False),
                name="adjustments_name_their_statement",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-period", "-id"], name="statements_newest_first")]

    def __str__(self) -> str:
        return self.number


class ClosingQuerySet(models.QuerySet["Closing"]):
    def due(self, at: datetime) -> ClosingQuerySet:
        """Periods to issue at `at`, those that wait longest first."""
        return self.filter(due_at__lte=at).order_by("due_at", "tenant_id")


class Closing(models.Model):
    """A tenant's next period to issue a statement for, and from when on.

    `last` is the one in which the tenant was found closed: with it this ends. None while the tenant is open.
    """

    tenant = models.OneToOneField(Tenant, models.CASCADE, primary_key=True, related_name="closing")
    period = models.DateField()
    due_at = models.DateTimeField()
    last = models.DateField(null=True)

    objects = ClosingQuerySet.as_manager()

    class Meta:
        # In the order in which they are taken: all of a month are due at once, and must not be sorted for each batch.
        indexes = [models.Index(fields=["due_at", "tenant"], name="closings_in_order")]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.period}"


class StatementMonth(models.Model):
    """The last running number of the documents for periods that begin in a month; locked by who issues one."""

    month = models.DateField(primary_key=True)
    last = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}: {self.last}"
