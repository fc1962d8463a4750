"""The staff page that says who would be better off on another plan, and its table as a file."""

from __future__ import annotations

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.reports.outreach import outreach as read_outreach
from usage.reports.outreach_sheet import outreach_csv


@require_safe
@vary_on_headers("HX-Request")
@staff_page
def outreach(request: TenantRequest) -> HttpResponse:
    """Riskiest first; narrowed and paged by HTMX."""
    plan, after = request.GET.get("plan", ""), request.GET.get("after", "")
    report = read_outreach(plan=plan, after=after, at=timezone.now())
    context = {"report": report}
    if not request.htmx:
        return render(request, "usage/outreach.html", context)
    response = render(request, "usage/outreach.html#live", {**context, "is_poll": True})
    response["HX-Push-Url"] = request.get_full_path()
    return response


@require_safe
@staff_page
def outreach_as_csv(request: TenantRequest) -> HttpResponse:
    """All of them on the plan that is looked at."""
    at = timezone.now()
    headers = {"Content-Disposition": f'attachment; filename="outreach-{at:%Y-%m-%d}.csv"'}
    return StreamingHttpResponse(  # type: ignore[return-value]  # sent like any other
        outreach_csv(plan=request.GET.get("plan", ""), at=at),
        content_type="text/csv; charset=utf-8",
        headers=headers,
    )
