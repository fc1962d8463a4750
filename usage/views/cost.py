"""What a tenant pays: a period's bill, on this plan and on others, and the cap of what goes beyond."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import tenant_page
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.reports.cap import CapCard, Entry, cap_report
from usage.reports.cost import cost_report
from usage.reports.cost_files import cost_csv
from usage.reports.readings import Reading, reading
from usage.views.tenant import here

OWNER, ADMIN = Membership.Role.OWNER, Membership.Role.ADMIN  # viewers see no money
PAGE = "usage/cost.html"


@require_safe
@vary_on_headers("HX-Request")
@tenant_page(ADMIN)
def cost(request: TenantRequest, slug: str) -> HttpResponse:
    """The period in the address; its parts alone where HTMX changes it."""
    at = timezone.now()
    if not request.htmx:
        return cost_page(request, at)
    report = cost_report(here(request), request.GET.get("period", ""), at)
    return render(request, f"{PAGE}#period", {"report": report})


@require_safe
@tenant_page(ADMIN)
def cost_as_csv(request: TenantRequest, slug: str) -> HttpResponse:
    """What the page shows, for a spreadsheet."""
    report = cost_report(here(request), request.GET.get("period", ""), timezone.now())
    headers = {"Content-Disposition": f'attachment; filename="cost-{slug}-{report.code}.csv"'}
    return HttpResponse(cost_csv(report), content_type="text/csv; charset=utf-8", headers=headers)


def cost_page(
    request: TenantRequest, at: datetime, entry: Entry | None = None, *, status: int = 200
) -> HttpResponse:
    """The whole page; `entry` is what somebody typed into the card of the cap."""
    report = cost_report(here(request), request.GET.get("period", ""), at)
    card = cap_card(request, report.now or reading(here(request), at), entry)
    return render(request, PAGE, {"report": report, "cap": card}, status=status)


def cap_card(request: TenantRequest, now: Reading, entry: Entry | None = None) -> CapCard:
    """The card of the cap as the reader of this request sees it."""
    return cap_report(now, may_edit=may_cap(request), for_staff=request.is_viewing_as, entry=entry)


def may_cap(request: TenantRequest) -> bool:
    """Whether the reader sets the cap; others who see money read it."""
    return request.membership is not None and request.membership.reaches(OWNER)
