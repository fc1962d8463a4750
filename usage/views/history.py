"""A tenant's periods with the limits then in force: the page, and as files; there is no money in it."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import tenant_page
from tenants.requests import TenantRequest
from usage.reports.period_files import history_csv, history_json
from usage.reports.periods import history as read_history
from usage.views.tenant import here


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def history(request: TenantRequest, slug: str) -> HttpResponse:
    """The period that runs and those before it, newest first; older ones by HTMX or as pages of their own."""
    report = read_history(here(request), timezone.now(), after=request.GET.get("after", ""))
    template = "usage/history.html#periods" if request.htmx else "usage/history.html"
    return render(request, template, {"report": report})


@require_safe
@tenant_page()
def history_as_csv(request: TenantRequest, slug: str) -> HttpResponse:
    """All periods, for a spreadsheet."""
    found = read_history(here(request), timezone.now(), size=None)
    headers = {"Content-Disposition": f'attachment; filename="history-{slug}.csv"'}
    return HttpResponse(history_csv(found), content_type="text/csv; charset=utf-8", headers=headers)


@require_safe
@tenant_page()
def history_as_json(request: TenantRequest, slug: str) -> HttpResponse:
    """All periods, for programs."""
    found = read_history(here(request), timezone.now(), size=None)
    headers = {"Content-Disposition": f'attachment; filename="history-{slug}.json"'}
    return JsonResponse(history_json(found), headers=headers, json_dumps_params={"ensure_ascii": False})
