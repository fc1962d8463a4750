"""The staff page of one tenant: how it stands, giving it more for a time, ending that, revoking a key of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.models import Override
from billing.overrides import end_early, grant
from tenants.access import staff_page
from tenants.keys import revoke_key
from tenants.models import ApiKey
from tenants.requests import TenantRequest
from usage.raise_forms import RaiseForm
from usage.reports.key_page import felt_within, key_line
from usage.reports.staff_tenant import TenantPage
from usage.reports.staff_tenant import staff_tenant as read_tenant
from usage.reports.tenant_rights import given_line

PAGE = "usage/staff_tenant.html"
RAISE, END, REVOKE = "billing.add_override", "billing.change_override", "tenants.change_apikey"


@require_safe
@staff_page
def staff_tenant(request: TenantRequest, slug: str) -> HttpResponse:
    """All that operations need to know of one tenant on one page."""
    at = timezone.now()
    page = read_tenant(slug, at)
    return _page(request, page, form=_form(page, at))


@require_POST
@staff_page
def raise_limit(request: TenantRequest, slug: str) -> HttpResponse:
    """Give the tenant more of a metric for a time."""
    _need(request, RAISE)
    at = timezone.now()
    page = read_tenant(slug, at)
    form = _form(page, at, request.POST)
    if not form.is_valid():
        return _page(request, page, form=form, status=422)
    asked, metric = form.cleaned_data, form.limit.metric
    words = {"units": asked["units"], "ends": form.ends, "reason": asked["reason"]}
    made = grant(page.tenant, metric, **words, author=request.user, at=at)
    text = _("%(tenant)s has %(what)s until %(end)s; it is felt within two seconds.")
    line = given_line(made, at)
    messages.success(request, text % {"tenant": page.tenant, "what": line.what, "end": line.until})
    return redirect("usage:staff_tenant", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def end_override(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Ask whether that is meant, then end an override before its time."""
    _need(request, END)
    rows, at = Override.objects.select_related("tenant", "metric", "author"), timezone.now()
    found = get_object_or_404(rows, pk=pk, tenant__slug=slug)
    context = {"tenant": found.tenant, "given": given_line(found, at)}
    if request.method != "POST":
        return render(request, "usage/override_end.html", context)
    if end_early(found, by=request.user, at=at):
        messages.success(request, _("It has ended; that is felt within two seconds."))
    else:
        messages.warning(request, _("It had ended already."))
    return redirect("usage:staff_tenant", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def staff_revoke_key(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Ask whether that is meant, then revoke a key of the tenant."""
    _need(request, REVOKE)
    key, at = (
        get_object_or_404(ApiKey.objects.select_related("tenant"), pk=pk, tenant__slug=slug),
        timezone.now(),
    )
    if request.method != "POST":
        context = {"tenant": key.tenant, "key": key_line(key, at, for_staff=True), "felt": felt_within()}
        return render(request, "usage/staff_key_revoke.html", context)
    if revoke_key(key, at, request.user):
        messages.success(request, _("%s was revoked.") % key)
    else:
        messages.warning(request, _("%s was revoked already.") % key)
    return redirect("usage:staff_tenant", slug=slug)


def _need(request: TenantRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _form(page: TenantPage, at: datetime, data: Any = None) -> RaiseForm:
    return RaiseForm(page.rights.raisable, page.rights.period.last_day, at, data)


def _page(request: TenantRequest, page: TenantPage, *, form: RaiseForm, status: int = 200) -> HttpResponse:
    may = {
        "may_raise": request.user.has_perm(RAISE),
        "may_end": request.user.has_perm(END),
        "may_revoke": request.user.has_perm(REVOKE),
    }
    return render(request, PAGE, {"page": page, "form": form, **may}, status=status)
