"""Why a tenant may do what it may do."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import tenant_page
from tenants.requests import TenantRequest
from usage.reports.why import why as read_why
from usage.views.tenant import here


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def why(request: TenantRequest, slug: str) -> HttpResponse:
    """One timeline, newest first; older pages come by HTMX or as pages of their own."""
    after = request.GET.get("after", "")
    report = read_why(
        here(request),
        timezone.now(),
        after=after,
        for_staff=request.is_viewing_as,
        with_money=request.sees_money,
    )
    template = "usage/why.html#timeline" if request.htmx else "usage/why.html"
    return render(request, template, {"report": report})
