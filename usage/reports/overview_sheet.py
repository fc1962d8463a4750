"""The list of all tenants for spreadsheets: everything it is narrowed to, in its order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.db.models import DecimalField, OuterRef, Subquery
from django.utils.translation import gettext as _

from billing.models import CostShare, Metric, Plan
from billing.pricing import rounded
from usage.models import Standing
from usage.reports.document import moment
from usage.reports.overview_choice import Filters, last_allocation, narrowed
from usage.reports.sheets import Cell, csv_lines

CHUNK = 2_000


def overview_csv(asked: Filters, *, at: datetime) -> Iterator[str]:
    """The lines of the file, one after another: memory does not grow with the tenants."""
    filters = asked.known(tuple(Plan.objects.all()), tuple(Metric.objects.all()))
    order = filters.order
    rows = narrowed(filters, at).select_related("tenant", "plan", "worst", "runs_out_of")
    first = f"-{order.first}" if order.is_first_descending else order.first
    rows = rows.annotate(margin=_margin()).order_by(first, order.second)
    return csv_lines(_head(), map(_cells, rows.iterator(chunk_size=CHUNK)))


def _head() -> list[str]:
    return [
        _("Tenant"),
        _("Slug"),
        _("Id"),
        _("Status"),
        _("Plan"),
        _("Period"),
        _("State"),
        _("Worst metric"),
        _("Used, percent"),
        _("Forecast, percent"),
        _("Runs out"),
        _("Runs out of"),
        _("Overage, estimate"),
        _("Margin, last month divided"),
        _("Refused in the period"),
        _("Last used"),
        _("Counted to"),
    ]


def _cells(row: Standing) -> list[Cell]:
    margin: Decimal | None = getattr(row, "margin")  # noqa: B009  # annotated
    return [
        row.tenant.name,
        row.tenant.slug,
        row.tenant.pk,
        row.tenant.status,
        row.plan.name,
        row.period.isoformat(),
        row.get_state_display(),
        row.worst.name if row.worst else "",
        row.fill if row.worst else None,
        row.forecast,
        row.runs_out.isoformat() if row.runs_out else "",
        row.runs_out_of.name if row.runs_out_of else "",
        rounded(row.overage),
        margin,
        row.refused,
        moment(row.last_used) if row.last_used else "",
        moment(row.counted_at),
    ]


def _margin() -> Subquery:
    shares = CostShare.objects.of_tenants().filter(tenant=OuterRef("pk"), allocation__in=last_allocation())
    return Subquery(shares.values("margin")[:1], output_field=DecimalField())
