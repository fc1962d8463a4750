"""The staff page of cost and margin, its table as a file, and dividing a closed month anew."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.cost_forms import AnewForm, CostsForm
from usage.costs.allocate import allocate_month
from usage.costs.months import Month
from usage.reports.cost_choice import choice
from usage.reports.cost_sheet import cost_csv
from usage.reports.costs import Costs
from usage.reports.costs import costs as read_costs

PAGE = "usage/costs.html"


@require_safe
@vary_on_headers("HX-Request")
@staff_page
def costs(request: TenantRequest) -> HttpResponse:
    """Where a month's bills go; flow, rows and pager alone where HTMX chooses, sorts, narrows or pages."""
    report = read_costs(CostsForm(request.GET).asked(), timezone.now())
    if not request.htmx or report is None:
        return _page(request, report)
    context = {"report": report, "may_allocate": _may_allocate(request), "is_poll": True}
    response = render(request, f"{PAGE}#live", context)
    response["HX-Push-Url"] = request.path + report.choice.asked.address()
    return response


@require_safe
@staff_page
def costs_as_csv(request: TenantRequest) -> HttpResponse:
    """All tenants of the month, version and provider that are looked at."""
    chosen = choice(CostsForm(request.GET).asked(), timezone.now())
    if chosen is None:
        raise Http404
    name = f"costs-{chosen.allocation.month:%Y-%m}-v{chosen.allocation.version}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(  # type: ignore[return-value]  # sent like any other
        cost_csv(chosen), content_type="text/csv; charset=utf-8", headers=headers
    )


@require_POST
@staff_page
def allocate_anew(request: TenantRequest) -> HttpResponse:
    """Divide a month that is closed once more, as a new version with a reason."""
    if not _may_allocate(request):
        raise PermissionDenied
    form = AnewForm(request.POST)
    if "month" in form.errors:
        return HttpResponseBadRequest("month, as 2026-11, and reason")
    if form.errors:
        return _page(request, read_costs(CostsForm(request.POST).asked(), timezone.now()), anew=form)
    month, by = Month(form.cleaned_data["month"]), {"who": request.user, "why": form.cleaned_data["reason"]}
    made = allocate_month(month, timezone.now(), reason=_("%(why)s (%(who)s)") % by)
    if made is None:
        raise Http404
    messages.success(request, _("%(name)s is divided.") % {"name": made})
    return redirect(f"{reverse('usage:costs')}?month={month.first:%Y-%m}")


def _page(request: TenantRequest, report: Costs | None, anew: AnewForm | None = None) -> HttpResponse:
    """All of it; with a wish to divide a month anew that could not be read."""
    context = {"report": report, "may_allocate": _may_allocate(request), "anew": anew}
    return render(request, PAGE, context, status=422 if anew else 200)


def _may_allocate(request: TenantRequest) -> bool:
    return request.user.has_perm("billing.add_allocation")
