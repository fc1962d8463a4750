"""One metric of a tenant: its page, the parts of it that change, and its file."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import tenant_page
from tenants.requests import TenantRequest
from usage.reports.absent import absent_metric
from usage.reports.metric import metric_report
from usage.reports.metric_figures import NoSuchMetric, figures_of
from usage.reports.metric_files import metric_csv
from usage.reports.readings import Reading, reading
from usage.views.polling import answer_poll
from usage.views.tenant import here
from usage.window_forms import asked_of

PAGE = "usage/metric.html"


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def metric(request: TenantRequest, slug: str, code: str) -> HttpResponse:
    """Figures (polled), chart, labels, refusals; window, view and label stand in the address."""
    read = reading(here(request), timezone.now(), with_money=request.sees_money)
    try:
        figures = figures_of(read, code)
    except NoSuchMetric:
        return _absent(request, read, code)
    context = {"figures": figures, "meter": figures.meter, "version": figures.version}
    if request.htmx and "seen" in request.GET:
        template, counted_to = f"{PAGE}#live", figures.counted_to
        return answer_poll(request, template, context, version=figures.version, counted_to=counted_to)
    asked, context["form"] = asked_of(request.GET, read.at)
    context["report"] = metric_report(read, figures.meter, asked)
    return render(request, f"{PAGE}#window" if request.htmx else PAGE, context)


@require_safe
@tenant_page()
def metric_as_csv(request: TenantRequest, slug: str, code: str) -> HttpResponse:
    """What the page with the same query shows, for a spreadsheet."""
    read = reading(here(request), timezone.now(), with_money=False)
    try:
        figures = figures_of(read, code)
    except NoSuchMetric as error:
        raise Http404(str(error)) from error
    asked, _form = asked_of(request.GET, read.at)
    report = metric_report(read, figures.meter, asked)
    name = f"{code}-{slug}-{report.window.first}-{report.window.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(metric_csv(figures, report), content_type="text/csv; charset=utf-8", headers=headers)


def _absent(request: TenantRequest, read: Reading, code: str) -> HttpResponse:
    """The page that says which plan has the metric; raises Http404 where there is no such metric."""
    absent = absent_metric(read, code)
    if absent is None:
        raise Http404(f"There is no metric {code!r}.")
    return render(request, "usage/metric_absent.html", {"absent": absent})
