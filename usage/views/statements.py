"""A tenant's statements: the list, one of them to read and print, and as files."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from billing.models import Statement
from tenants.access import tenant_page
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.reports import statements as reports
from usage.reports.statement_files import statement_csv, statement_json
from usage.views.tenant import here

ADMIN = Membership.Role.ADMIN  # viewers see no money


@require_safe
@vary_on_headers("HX-Request")
@tenant_page(ADMIN)
def statements(request: TenantRequest, slug: str) -> HttpResponse:
    """All of them, newest first; older ones come by HTMX or as pages of their own."""
    report = reports.statements(here(request), after=request.GET.get("after", ""))
    template = "usage/statements.html#statements" if request.htmx else "usage/statements.html"
    return render(request, template, {"report": report})


@require_safe
@tenant_page(ADMIN)
def statement(request: TenantRequest, slug: str, number: str) -> HttpResponse:
    """One as it was issued; it prints on one page."""
    return render(request, "usage/statement.html", {"paper": reports.paper(_statement(request, number))})


@require_safe
@tenant_page(ADMIN)
def statement_as_csv(request: TenantRequest, slug: str, number: str) -> HttpResponse:
    """Its lines for a spreadsheet."""
    headers = {"Content-Disposition": f'attachment; filename="{number}.csv"'}
    return HttpResponse(
        statement_csv(_statement(request, number)), content_type="text/csv; charset=utf-8", headers=headers
    )


@require_safe
@tenant_page(ADMIN)
def statement_as_json(request: TenantRequest, slug: str, number: str) -> HttpResponse:
    """All of it for programs."""
    headers = {"Content-Disposition": f'attachment; filename="{number}.json"'}
    return JsonResponse(
        statement_json(_statement(request, number)),
        headers=headers,
        json_dumps_params={"ensure_ascii": False},
    )


def _statement(request: TenantRequest, number: str) -> Statement:
    """The tenant's own; raises Http404 for another's."""
    return get_object_or_404(Statement.objects.select_related("of"), tenant=request.tenant, number=number)
