"""The page of settings: what the tenant is called, and in which time zone its pages show times."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tenants.access import tenant_page
from tenants.describing import choose_zone, describe
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.reports import dates
from usage.settings_forms import OrganisationForm, ZoneForm
from usage.views.tenant import here

ADMIN = Membership.Role.ADMIN
PAGE = "usage/settings.html"


@require_safe
@tenant_page()
def settings(request: TenantRequest, slug: str) -> HttpResponse:
    """Both forms; who may not change the tenant sees what it is."""
    return _page(request)


@require_POST
@tenant_page(ADMIN)
def set_organisation(request: TenantRequest, slug: str) -> HttpResponse:
    """Keep the tenant's name and zone."""
    form = OrganisationForm(request.POST)
    if not form.is_valid():
        return _page(request, organisation=form, status=422)
    name, zone = form.cleaned_data["name"], form.cleaned_data["default_zone"]
    describe(here(request), name=name, time_zone=zone, by=request.user, at=timezone.now())
    messages.success(request, _("Saved."))
    return redirect("usage:settings", slug=slug)


@require_POST
@tenant_page(is_of_reader=True)
def set_zone(request: TenantRequest, slug: str) -> HttpResponse:
    """Keep the zone in which the reader wants times."""
    form = ZoneForm(request.POST)
    if not form.is_valid():
        return _page(request, own=form, status=422)
    choose_zone(request.user, form.cleaned_data["time_zone"])
    messages.success(request, _("Saved."))
    return redirect("usage:settings", slug=slug)


def _page(request: TenantRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    tenant = here(request)
    context = {
        "organisation": OrganisationForm(initial={"name": tenant.name, "default_zone": tenant.time_zone}),
        "own": ZoneForm(initial={"time_zone": request.user.time_zone}),
        "zone": dates.zone(),
        "now": timezone.localtime(),
        "may_edit": request.membership is not None and request.membership.reaches(ADMIN),
        **more,
    }
    return render(request, PAGE, context, status=status)
