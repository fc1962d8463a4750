"""The page of alerts: what is told, to whom, through which channels, and what became of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from billing.models import Metric
from tenants.access import tenant_page
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.alert_forms import ChangeForm, ChannelForm, PeopleForm, ResendForm, ThresholdsForm
from usage.alerts.choices import choose_kinds, choose_people, choose_thresholds
from usage.alerts.resend import resend
from usage.alerts.setup import TooMany, add_endpoint, remove, rotate, send_test, send_test_mail
from usage.models import Delivery, Endpoint
from usage.reports.alert_page import alert_page
from usage.reports.deliveries import Log, tenant_log
from usage.views.tenant import here

ADMIN = Membership.Role.ADMIN
PAGE = "usage/alerts.html"


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def alerts(request: TenantRequest, slug: str) -> HttpResponse:
    """Thresholds, channels and the delivery log; the log alone where HTMX narrows or pages it."""
    log = _log(request)
    if request.htmx:
        response = render(request, f"{PAGE}#log", {"log": log, "may_edit": _may_edit(request)})
        response["HX-Push-Url"] = f"{request.path}{log.address}"
        return response
    return _page(request, log=log)


@require_POST
@tenant_page(ADMIN)
def set_thresholds(request: TenantRequest, slug: str) -> HttpResponse:
    """Keep the percents of each metric, and what else is told."""
    form = ThresholdsForm(request.POST, list(Metric.objects.order_by("position", "pk")))
    if not form.is_valid():
        return _page(request, sent=form, status=422)
    choose_thresholds(here(request), form.wanted())
    told = form.cleaned_data
    choose_kinds(here(request), refusals=told["tells_refusals"], billing=told["tells_billing"])
    messages.success(request, _("Saved. What is crossed from now on goes by these thresholds."))
    return redirect("usage:alerts", slug=slug)


@require_POST
@tenant_page(ADMIN)
def set_people(request: TenantRequest, slug: str) -> HttpResponse:
    """Keep who gets the alerts by mail."""
    known = Membership.objects.filter(tenant=request.tenant).values_list("pk", flat=True)
    form = PeopleForm(request.POST, list(known))
    if not form.is_valid():
        return HttpResponseBadRequest("members: ids of members")
    chosen = form.cleaned_data["members"]
    choose_people(here(request), chosen)
    if chosen:
        messages.success(request, _("Saved."))
    else:
        messages.warning(request, _("Saved. Nobody gets mail now: only operations hear of a limit."))
    return redirect("usage:alerts", slug=slug)


@require_POST
@tenant_page(ADMIN)
def add_channel(request: TenantRequest, slug: str) -> HttpResponse:
    """Add a channel; the page that follows shows a webhook's secret, once."""
    form, at = ChannelForm(request.POST), timezone.now()
    if not form.is_valid():
        return _page(request, channel_form=form, status=422)
    try:
        endpoint, secret = add_endpoint(here(request), person=request.user, at=at, **form.cleaned_data)
    except TooMany as error:
        form.add_error(None, str(error))
        return _page(request, channel_form=form, status=422)
    if secret:
        return _page(request, shown=(endpoint, secret))
    messages.success(request, _("Added. Send a test to see that it works."))
    return redirect("usage:alerts", slug=slug)


@require_POST
@tenant_page(ADMIN)
def change_channel(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Test a channel, give a webhook a new secret, or remove it."""
    endpoint = get_object_or_404(Endpoint, pk=pk, tenant=request.tenant)
    form, at = ChangeForm(request.POST), timezone.now()
    if not form.is_valid():
        return HttpResponseBadRequest("do: test, rotate or remove")
    if form.cleaned_data["do"] == "rotate" and endpoint.kind == Endpoint.Kind.WEBHOOK:
        return _page(request, shown=(endpoint, rotate(endpoint, at)))
    if form.cleaned_data["do"] == "remove":
        remove(endpoint, at)
        messages.success(request, _("%s was removed.") % endpoint)
    else:
        send_test(endpoint, at)
        messages.success(
            request, _("A test to %s is on its way: the log says whether it arrives.") % endpoint
        )
    return redirect("usage:alerts", slug=slug)


@require_POST
@tenant_page(ADMIN)
def test_mail(request: TenantRequest, slug: str) -> HttpResponse:
    """Mail a test to the person who asks."""
    send_test_mail(here(request), request.user, timezone.now())
    messages.success(request, _("A test to %s is on its way.") % request.user.email)
    return redirect("usage:alerts", slug=slug)


@require_POST
@tenant_page(ADMIN)
def resend_alerts(request: TenantRequest, slug: str) -> HttpResponse:
    """Try deliveries of the tenant again."""
    form = ResendForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("only, delivery or all: which deliveries")
    count = resend(form.among(Delivery.objects.filter(tenant=request.tenant)), timezone.now())
    text = ngettext("%d message is sent again.", "%d messages are sent again.", count) % count
    (messages.success if count else messages.warning)(request, text)
    return redirect("usage:alerts", slug=slug)


def _may_edit(request: TenantRequest) -> bool:
    return request.membership is not None and request.membership.reaches(ADMIN)


def _log(request: TenantRequest) -> Log:
    asked = {name: request.GET.get(name, "") for name in ("channel", "status", "after")}
    return tenant_log(here(request), at=timezone.now(), **asked)


def _page(
    request: TenantRequest,
    *,
    status: int = 200,
    log: Log | None = None,
    sent: ThresholdsForm | None = None,
    **more: Any,
) -> HttpResponse:
    """The whole page; with a secret on it nobody keeps a copy."""
    context = {
        "page": alert_page(here(request), timezone.now(), sent=sent),
        "log": log or _log(request),
        "may_edit": _may_edit(request),
        **more,
    }
    response = render(request, PAGE, context, status=status)
    response["Cache-Control"] = "no-store"
    return response
