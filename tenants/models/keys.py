"""The keys that programs use."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models.people import User
from tenants.models.tenants import Tenant


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, at: datetime) -> ApiKeyQuerySet:
        """Keys that open something at `at`: neither revoked nor expired."""
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=at),
            models.Q(revoked_at=None) | models.Q(revoked_at__gt=at),
        )

    def unused_since(self, at: datetime) -> ApiKeyQuerySet:
        """Keys whose last use, as far as it is written down, was at `at` or before."""
        return self.filter(models.Q(last_used_at=None) | models.Q(last_used_at__lte=at))


class ApiKey(models.Model):
    """A program's key, kept as the SHA-256 of its secret; the secret itself is shown once, when it is made.

    A tenant key acts for its tenant; a service key acts for the tenant that `X-Tenant-ID` names.
    """

    class Scope(models.TextChoices):
        TENANT = "tenant", _("Tenant")
        SERVICE = "service", _("Service")

    # Only on a key that was made a moment ago, to be shown once.
    secret: str = ""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_keys", null=True, blank=True)
    scope = models.CharField(max_length=7, choices=Scope, default=Scope.TENANT)
    name = models.CharField(max_length=80, help_text=_("What uses it, e.g. “billing job”."))
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The key made in this one's place; this one expires by itself.
    replaced_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope="tenant", tenant__isnull=False)
                | models.Q(scope="service", tenant__isnull=True),
                name="service_keys_belong_to_no_tenant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning})"

    @property
    def beginning(self) -> str:
        """“hr_0123456789ab…”: what may be seen of the secret."""
        return f"hr_{self.prefix}…"

    def is_live(self, at: datetime) -> bool:
        """Whether it opens something at `at`: neither revoked nor expired."""
        is_over = self.expires_at is not None and self.expires_at <= at
        return self.revoked_at is None and not is_over
