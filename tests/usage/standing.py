"""Tenants that stand somewhere, for the tests of what operations read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from billing.models import Metric, Plan
from tenants.models import Tenant
from usage.models import Standing
from usage.reports import Overview

AT = datetime(2026, 11, 23, 14, 2, 10, tzinfo=UTC)


def standing(slug: str, risk: int = 0, **fields: Any) -> Standing:
    """A tenant that stands somewhere; its state follows from its risk unless it is given."""
    of_tenant = {name: fields.pop(name) for name in ("name", "status") if name in fields}
    tenant = Tenant.objects.create(slug=slug, **{"name": slug.replace("-", " ").title(), **of_tenant})
    state = "full" if risk >= 100 else "near" if risk >= 80 else "ok"
    given = {
        "plan": Plan.objects.get(slug=fields.pop("plan", "free")),
        "worst": Metric.objects.get(code=fields.pop("worst", "api_calls")),
        "state": state,
        "fill": risk,
        "risk": risk,
        "last_used": AT,
        "counted_at": AT,
        "period": AT.date().replace(day=1),
        "period_ends": AT + timedelta(days=7),
    }
    return Standing.objects.create(tenant=tenant, **{**given, **fields})


def slugs(report: Overview) -> list[str]:
    return [row.slug for row in report.rows]
