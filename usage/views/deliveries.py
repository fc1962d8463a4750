"""The staff page of deliveries: what reached nobody, whosever it is, and trying it again."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.alert_forms import ResendForm
from usage.alerts.resend import resend
from usage.alerts.routes import operations_endpoint
from usage.alerts.setup import send_test
from usage.models import Delivery, Endpoint
from usage.reports.deliveries import staff_log, troubled

PAGE = "usage/deliveries.html"


@require_safe
@vary_on_headers("HX-Request")
@staff_page
def deliveries(request: TenantRequest) -> HttpResponse:
    """Everybody's deliveries; rows and pager alone where HTMX narrows or pages them."""
    asked = {name: request.GET.get(name, "") for name in ("tenant", "channel", "status", "after")}
    at = timezone.now()
    log = staff_log(at=at, **asked)
    context = {"log": log, "may_edit": _may_resend(request), "with_tenant": True}
    if request.htmx:
        response = render(request, f"{PAGE}#log", context)
        response["HX-Push-Url"] = f"{request.path}{log.address}"
        return response
    return render(request, PAGE, {**context, "troubled": troubled(at), "ours": operations_endpoint(at)})


@require_POST
@staff_page
def resend_deliveries(request: TenantRequest) -> HttpResponse:
    """Try one, those that were ticked, or all that were given up again."""
    if not _may_resend(request):
        raise PermissionDenied
    form, rows = ResendForm(request.POST), Delivery.objects.all()
    if not form.is_valid():
        return HttpResponseBadRequest("only, delivery or all: which deliveries")
    count = resend(form.among(rows), timezone.now())
    text = ngettext("%d message is sent again.", "%d messages are sent again.", count) % count
    (messages.success if count else messages.warning)(request, text)
    return redirect("usage:deliveries")


@require_POST
@staff_page
def test_operations(request: TenantRequest) -> HttpResponse:
    """Send a test to operations' own Slack channel."""
    if not _may_resend(request):
        raise PermissionDenied
    endpoint = get_object_or_404(Endpoint, tenant=None)
    send_test(endpoint, timezone.now())
    messages.success(request, _("A test is on its way: the log says whether it arrives."))
    return redirect("usage:deliveries")


def _may_resend(request: TenantRequest) -> bool:
    return request.user.has_perm("usage.change_delivery")
