"""The version of what each tenant may use, and the changes that counting has yet to take over."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant


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
        # None of them is judged either, which leads to the index of those that wait for that.
        return self.filter(felt_at=None, judged_at=None).order_by("pk")

    def unjudged(self) -> EntitlementChangeQuerySet:
        """Changes that counting has taken over, but that thresholds were not judged after."""
        return self.filter(felt_at__isnull=False, judged_at=None).order_by("pk")


class EntitlementChange(models.Model):
    """One change of what a tenant may use: who, when, why; waits here until counting has taken it over."""

    class Kind(models.TextChoices):
        LIMITS = "limits", _("Limits changed")
        PLAN = "plan", _("Plan changed")
        SCHEDULED = "scheduled", _("Change of plan scheduled")
        CANCELLED = "cancelled", _("Plan cancelled")
        WITHDRAWN = "withdrawn", _("Scheduled change withdrawn")
        CAP = "cap", _("Spend cap changed")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="entitlement_changes")
    version = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=9, choices=Kind, default=Kind.LIMITS)
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
