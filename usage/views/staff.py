"""The pages of the operations team: all tenants by risk, and the inbox."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.forms import SeenForm
from usage.reports import overview
from usage.reports.inbox import inbox as read_inbox
from usage.reports.overview_choice import Filters
from usage.reports.overview_sheet import overview_csv
from usage.seen import mark_all_seen, mark_seen
from usage.views.polling import answer_poll

LONGEST_QUERY = 100
FILTERS = ("plan", "state", "metric", "sort")


@require_safe
@vary_on_headers("HX-Request")
@staff_page
def tenants(request: TenantRequest) -> HttpResponse:
    """All tenants, riskiest first; searched, narrowed, sorted and paged by HTMX, polled every five seconds."""
    report = overview(_asked(request), after=request.GET.get("after", ""), at=timezone.now())
    context, version = {"report": report}, report.version
    if not request.htmx:
        return render(request, "usage/tenants.html", context)
    template = "usage/tenants.html#live"
    response = answer_poll(request, template, context, version=version, counted_to=report.counted_to)
    if "seen" not in request.GET:
        response["HX-Push-Url"] = request.path + report.address
    return response


@require_safe
@staff_page
def tenants_as_csv(request: TenantRequest) -> HttpResponse:
    """All tenants that the list is narrowed to, in its order."""
    at = timezone.now()
    headers = {"Content-Disposition": f'attachment; filename="tenants-{at:%Y-%m-%d}.csv"'}
    return StreamingHttpResponse(  # type: ignore[return-value]  # sent like any other
        overview_csv(_asked(request), at=at), content_type="text/csv; charset=utf-8", headers=headers
    )


def _asked(request: TenantRequest) -> Filters:
    """What the list is narrowed to and sorted by."""
    asked = {name: request.GET.get(name, "") for name in FILTERS}
    return Filters(query=request.GET.get("q", "")[:LONGEST_QUERY], **asked)


@require_safe
@staff_page
def inbox(request: TenantRequest) -> HttpResponse:
    """What operations were told, newest first."""
    after = request.GET.get("after", "")
    return render(request, "usage/inbox.html", {"report": read_inbox(after=after, at=timezone.now())})


@require_POST
@vary_on_headers("HX-Request")
@staff_page
def seen(request: TenantRequest) -> HttpResponse:
    """Mark one notice as seen, or all that were there when the page was read."""
    form, at = SeenForm(request.POST), timezone.now()
    if not form.is_valid():
        return HttpResponseBadRequest("notice or newest: an id")
    asked = form.cleaned_data
    if asked["notice"] is not None:
        mark_seen(asked["notice"], person=request.user, at=at)
    else:
        mark_all_seen(asked["newest"], person=request.user, at=at)
    if not request.htmx:
        page = {"after": asked["after"]} if asked["after"] else {}
        return redirect(f"{reverse('usage:inbox')}{'?' if page else ''}{urlencode(page)}")
    report = read_inbox(after=asked["after"], at=at)
    return render(request, "usage/inbox.html#live", {"report": report, "is_poll": True})
