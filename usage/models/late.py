"""That hours were written so late that their period may have been billed without them."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant
from usage.models.counts import LOOSE


class LateUse(models.Model):
    """Hours of a tenant's period were written long after they ended; the period is priced again because of it.

    Like `StaleDay` rows are only added and taken, so that nobody waits for another: one may stand here twice.
    """

    tenant = models.ForeignKey(Tenant, **LOOSE)
    period = models.DateField()
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.period}"
