"""What a tenant pays: a period's bill, on this plan and on others."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import tenant_page
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.reports.cost import cost_report
from usage.reports.cost_files import cost_csv
from usage.views.tenant import here

ADMIN = Membership.Role.ADMIN  # viewers see no money
PAGE = "usage/cost.html"


@require_safe
@vary_on_headers("HX-Request")
@tenant_page(ADMIN)
def cost(request: TenantRequest, slug: str) -> HttpResponse:
    """The period in the address; its parts alone where HTMX changes it."""
    report = cost_report(here(request), request.GET.get("period", ""), timezone.now())
    return render(request, f"{PAGE}#period" if request.htmx else PAGE, {"report": report})


@require_safe
@tenant_page(ADMIN)
def cost_as_csv(request: TenantRequest, slug: str) -> HttpResponse:
    """What the page shows, for a spreadsheet."""
    report = cost_report(here(request), request.GET.get("period", ""), timezone.now())
    headers = {"Content-Disposition": f'attachment; filename="cost-{slug}-{report.code}.csv"'}
    return HttpResponse(cost_csv(report), content_type="text/csv; charset=utf-8", headers=headers)
