"""The first page of a tenant's own people: their overview."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import tenant_page
from tenants.models import ApiKey, Tenant
from tenants.requests import TenantRequest
from usage.reports import dashboard
from usage.reports.coming import coming
from usage.views.polling import answer_poll


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def overview(request: TenantRequest, slug: str) -> HttpResponse:
    """How close the tenant is to its limits; polled every five seconds."""
    at = timezone.now()
    board = dashboard(here(request), at, with_money=request.sees_money, is_poll=bool(request.htmx))
    version = board.version
    context = {"board": board, "version": version}
    if request.htmx:
        template = "usage/overview.html#live"
        return answer_poll(request, template, context, version=version, counted_to=board.counted_to)
    context["coming"] = coming(board.contracts, board.tenant, at, for_staff=request.is_viewing_as)
    if board.is_unused:
        context["key"] = ApiKey.objects.live(at).filter(tenant=request.tenant).order_by("-pk").first()
    return render(request, "usage/overview.html", context)


@require_safe
@tenant_page()
def metrics(request: TenantRequest, slug: str) -> HttpResponse:
    """To the metric that needs attention first."""
    board = dashboard(here(request), timezone.now(), with_money=False)
    if not board.meters:
        return redirect("usage:plan", slug=slug)
    return redirect("usage:metric", slug=slug, code=board.meters[0].metric.code)


def here(request: TenantRequest) -> Tenant:
    """The tenant of the address; `tenant_page` has found it."""
    assert request.tenant is not None
    return request.tenant
