"""What a tenant may spend beyond its plan: caps of its owner and of operations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from tenants.models import Tenant, User


class SpendCap(models.Model):
    """An amount of overage in a period, in HEADROOM_CURRENCY, at which billed use stops or somebody is told.

    One a side; the base fee is no part of it. Written by `billing.caps`, which says which counts and tells counting.
    """

    class Side(models.TextChoices):
        OWNER = "owner", _("Owner")
        OPERATIONS = "operations", _("Operations")

    class Mode(models.TextChoices):
        NOTIFY = "notify", _("Notify at")
        STOP = "stop", _("Stop at")

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="spend_caps")
    side = models.CharField(max_length=10, choices=Side)
    mode = models.CharField(max_length=6, choices=Mode)
    amount = models.DecimalField(max_digits=12, decimal_places=2, validators=[MinValueValidator(Decimal(0))])
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )
    since = models.DateTimeField(editable=False)
    history = HistoricalRecords()

    # What the history of a change is signed with; see django-simple-history.
    _history_user: User | None
    _history_date: datetime

    class Meta:
        ordering = ["tenant", "side"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "side"], name="one_spend_cap_a_side"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="spend_cap_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.get_mode_display()} {self.amount}"
