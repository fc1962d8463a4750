"""Tenants: the customer organisations."""

from __future__ import annotations

import re

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models.people import User
from tenants.words import beginning, words
from tenants.zones import UTC_NAME, validate_zone

ID = re.compile(r"[0-9]{1,18}")


class TenantQuerySet(models.QuerySet["Tenant"]):
    def of(self, user: User) -> TenantQuerySet:
        """Tenants `user` is a member of; closed ones are gone from sight."""
        return self.open().filter(memberships__user=user)

    def open(self) -> TenantQuerySet:
        """Tenants that still exist for anybody but the operations team."""
        return self.exclude(status=Tenant.Status.CLOSED)

    def matching(self, text: str) -> TenantQuerySet:
        """Tenants with this id, or in whose name or slug each word of `text` begins a word."""
        found = beginning(text)
        if found is None:
            return self.none()
        is_id = models.Q(pk=int(text)) if ID.fullmatch(text.strip()) else models.Q()
        return self.alias(words=words()).filter(models.Q(words=found) | is_id)


class Tenant(models.Model):
    """A customer organisation. Keys and rows carry its immutable id, addresses its slug."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        CLOSED = "closed", _("Closed")

    slug = models.SlugField(max_length=63, unique=True, help_text=_("Stands in addresses, e.g. northwind."))
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    time_zone = models.CharField(
        max_length=64,
        default=UTC_NAME,
        help_text=_("In which times are shown to its people, e.g. Europe/Berlin. Periods are always UTC."),
    )
    anchor_day = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(28)],
        help_text=_(
            "Day of the month, 1 to 28, on which a period begins (UTC). A change acts from the next period."
        ),
    )
    # A changed anchor acts from the end of the period it was changed in; until then the one before counts.
    anchor_before = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    anchor_since = models.DateField(null=True, blank=True, editable=False)
    # Earlier changes, oldest first, as [until, day]; so that past periods keep the days they had.
    anchor_past = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(anchor_day__range=(1, 28)), name="tenant_anchor_day"),
        ]
        indexes = [
            GinIndex(words(), name="tenant_words"),
            models.Index(fields=["name", "id"], name="tenants_by_name"),
            models.Index(fields=["id"], condition=models.Q(status="closed"), name="tenants_closed"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        validate_zone(self.time_zone)

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def is_closed(self) -> bool:
        return self.status == self.Status.CLOSED

    @property
    def initial(self) -> str:
        return self.name[:1].upper()
