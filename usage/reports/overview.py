"""All tenants: what “Tenants” shows to operations. Reads one row a tenant, `Standing`, and no counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256

from django.utils.translation import gettext as _

from billing.models import Metric, Plan
from usage.reports import dates, keyset
from usage.reports.overview_choice import ALL, RISK, Filters, Head, heads, narrowed, states
from usage.reports.overview_rows import Row, rows_of
from usage.reports.overview_tiles import Summary, summary

SIZE = 50


@dataclass(frozen=True)
class Overview:
    """One page of tenants, the figures above it, and what it can be narrowed to."""

    filters: Filters
    summary: Summary
    rows: tuple[Row, ...]
    after: str  # this page's cursor, empty for the first
    previous: str | None
    next: str | None
    plans: tuple[Plan, ...]
    metrics: tuple[Metric, ...]
    counted_to: datetime

    @property
    def states(self) -> list[tuple[str, str]]:
        return states()

    @property
    def heads(self) -> list[Head]:
        return heads(self.filters)

    @property
    def sorted_by(self) -> str:
        """The order in words."""
        return {
            RISK: _("Highest risk first: the larger of now and forecast."),
            "name": _("By name."),
            "overage": _("Most billed beyond the plan first."),
            "refused": _("Most refused in the period first."),
            "used": _("Last used first."),
        }[self.filters.sort or RISK]

    @property
    def first_out(self) -> str:
        """When the first one runs out."""
        first = self.summary.first_out
        if first is None:
            return _("by the end of their periods")
        day = max(first, self.counted_to.astimezone(UTC).date())
        return _("first on %(day)s") % {"day": dates.short(day)}

    @cached_property
    def version(self) -> str:
        """Differs whenever the page would look different, except for “counted to”."""
        shown = (self.filters, self.summary, self.rows, self.previous, self.next)
        return sha256(repr(shown).encode()).hexdigest()[:16]

    @property
    def address(self) -> str:
        return self.filters.address(self.after)

    @property
    def list_address(self) -> str:
        """Of all pages together: what the file has."""
        return self.filters.address()

    @property
    def previous_address(self) -> str:
        return self.filters.address(self.previous)

    @property
    def next_address(self) -> str:
        return self.filters.address(self.next)


def overview(asked: Filters = ALL, *, at: datetime, after: str | None = None, size: int = SIZE) -> Overview:
    """A page of the tenants that are asked for; `after` is another page's cursor.

    At most eight queries, however many tenants there are.
    """
    plans, metrics = tuple(Plan.objects.all()), tuple(Metric.objects.all())
    filters = asked.known(plans, metrics)
    rows = narrowed(filters, at)
    if filters.sort == "name":
        rows = rows.select_related("tenant")
    page = keyset.page(rows, filters.order, after=after, size=size)
    return Overview(
        filters=filters,
        summary=summary(),
        rows=rows_of(page.rows, plans, metrics, at),
        after=after or "",
        previous=page.previous,
        next=page.next,
        plans=plans,
        metrics=metrics,
        counted_to=at,
    )
