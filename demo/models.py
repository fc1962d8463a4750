"""What the sample product keeps: files of tenants without their content, and messages its receivers took."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import models

from tenants.models import Tenant

KEPT = 200  # messages


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


class DemoMessageQuerySet(models.QuerySet["DemoMessage"]):
    def newest(self, most: int) -> DemoMessageQuerySet:
        return self.order_by("-pk")[:most]

    def keep(self, kind: str, title: str, content: dict[str, Any], at: datetime) -> None:
        """Keep a message, and forget those of long ago."""
        message = self.create(kind=kind, title=title[:300], content=content, at=at)
        self.filter(pk__lte=message.pk - KEPT).delete()


class DemoMessage(models.Model):
    """A message that one of the demo's receivers took."""

    kind = models.CharField(max_length=7)
    title = models.CharField(max_length=300)
    content = models.JSONField()
    at = models.DateTimeField()

    objects = DemoMessageQuerySet.as_manager()

    def __str__(self) -> str:
        return self.title

    @property
    def icon(self) -> str:
        return "chat" if self.kind == "slack" else "hook"

    @property
    def pretty(self) -> str:
        """The content as it is read best."""
        return json.dumps(self.content, indent=2, ensure_ascii=False)
