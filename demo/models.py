"""The files that tenants of the sample product keep; their content itself is not kept."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant


class DemoFileQuerySet(models.QuerySet["DemoFile"]):
    def of(self, tenant: Tenant) -> DemoFileQuerySet:
        """The tenant's files by name."""
        return self.filter(tenant=tenant).order_by("name")

    def claimed(self, tenant: Tenant, name: str) -> tuple[DemoFile, bool]:
        """The file, and whether it is new and empty; nobody else changes it until the transaction ends."""
        return self.select_for_update().get_or_create(tenant=tenant, name=name)


class DemoFile(models.Model):
    """One stored file; `size` in bytes."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    size = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, default="")

    objects = DemoFileQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="one_demo_file_per_name")]

    def __str__(self) -> str:
        return self.name
