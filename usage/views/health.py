"""How Headroom itself does, for operations."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.reports.health import health as read_health
from usage.views.polling import answer_poll


@require_safe
@vary_on_headers("HX-Request")
@staff_page
def health(request: TenantRequest) -> HttpResponse:
    """Lags, queues, servers, processes and reconciles; polled every five seconds."""
    report = read_health(timezone.now())
    context = {"report": report}
    if not request.htmx:
        return render(request, "usage/health.html", context)
    return answer_poll(
        request, "usage/health.html#live", context, version=report.version, counted_to=report.at
    )
