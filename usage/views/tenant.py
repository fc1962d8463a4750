"""The pages of a tenant's own people: overview, metrics, plan."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from billing.models import Plan
from tenants.access import tenant_page
from tenants.models import ApiKey, Membership, Tenant
from tenants.requests import TenantRequest
from usage.reports import dashboard
from usage.reports.metric import NoSuchMetric, metric_report
from usage.reports.plans import plan_report, who_decides
from usage.reports.windows import WINDOWS
from usage.views.polling import answer_poll
from usage.wishes import ask_for_plan


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def overview(request: TenantRequest, slug: str) -> HttpResponse:
    """How close the tenant is to its limits; polled every five seconds."""
    at = timezone.now()
    board = dashboard(here(request), at, with_money=request.sees_money)
    context = {"board": board, "version": board.version}
    if request.htmx:
        return answer_poll(
            request, "usage/overview.html#live", context, version=board.version, counted_to=board.counted_to
        )
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


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def metric(request: TenantRequest, slug: str, code: str) -> HttpResponse:
    """One metric: figures (polled), days, labels, refusals; the window stands in the address."""
    window = request.GET.get("range", WINDOWS[0])
    try:
        report = metric_report(here(request), code, window, timezone.now(), with_money=request.sees_money)
    except NoSuchMetric as error:
        raise Http404(str(error)) from error
    context = {"report": report, "meter": report.meter, "version": report.version}
    if not request.htmx:
        return render(request, "usage/metric.html", context)
    if "seen" not in request.GET:
        return render(request, "usage/metric.html#window", context)
    template = "usage/metric.html#live"
    return answer_poll(request, template, context, version=report.version, counted_to=report.counted_to)


@require_safe
@tenant_page()
def plan(request: TenantRequest, slug: str) -> HttpResponse:
    """The plans side by side, and whether present use fits."""
    report = plan_report(here(request), timezone.now(), with_money=request.sees_money)
    return render(request, "usage/plan.html", {"report": report, **_who_asks(request)})


@require_POST
@vary_on_headers("HX-Request")
@tenant_page(Membership.Role.ADMIN)
def ask_plan(request: TenantRequest, slug: str) -> HttpResponse:
    """Ask operations for a plan; asking twice is asking once."""
    wanted = get_object_or_404(Plan.objects.public(), slug=request.POST.get("plan", ""))
    at = timezone.now()
    ask_for_plan(here(request), wanted, person=request.user, at=at)
    if not request.htmx:
        messages.success(request, _("Asked for %(plan)s. Operations will answer.") % {"plan": wanted.name})
        return redirect("usage:plan", slug=slug)
    report = plan_report(here(request), at, with_money=request.sees_money)
    return render(request, "usage/plan.html#plans", {"report": report, **_who_asks(request)})


def here(request: TenantRequest) -> Tenant:
    """The tenant of the address; `tenant_page` has found it."""
    assert request.tenant is not None
    return request.tenant


def _who_asks(request: TenantRequest) -> dict[str, object]:
    """Whether the reader may ask for a plan, else who may."""
    membership = request.membership
    may_ask = membership is not None and membership.reaches(Membership.Role.ADMIN)
    return {"may_ask": may_ask, "deciders": [] if may_ask else who_decides(here(request))}
