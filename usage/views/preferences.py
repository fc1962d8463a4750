"""What a person chose for this browser, kept in cookies: live or not, and the theme; and what there is to choose."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from tenants.requests import as_tenant_request
from tenants.zones import zones_like

YEAR = 365 * 24 * 3600
LIVE = ("on", "off")
THEMES = ("system", "light", "dark")
MOST_ZONES = 20


@require_POST
@vary_on_headers("HX-Request")
def live(request: HttpRequest) -> HttpResponse:
    """Follow the counts, or stand still."""
    value = request.POST.get("live", "")
    if value not in LIVE:
        return HttpResponseBadRequest("live: on or off")
    if as_tenant_request(request).htmx:
        context = {"is_live": value == "on", "next": _next(request)}
        return _remember(render(request, "partials/live.html", context), "live", value)
    return _remember(HttpResponseRedirect(_next(request)), "live", value)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light, dark, or as the system has it."""
    value = request.POST.get("theme", "")
    if value not in THEMES:
        return HttpResponseBadRequest("theme: system, light or dark")
    return _remember(HttpResponseRedirect(_next(request)), "theme", value)


@require_safe
def zones(request: HttpRequest) -> HttpResponse:
    """Names of time zones for what was typed so far into either field of the page of settings."""
    typed = request.GET.get("time_zone", request.GET.get("default_zone", ""))
    return render(request, "usage/partials/zones.html", {"zones": zones_like(typed)[:MOST_ZONES]})


def _next(request: HttpRequest) -> str:
    """The page it was chosen on; never another site."""
    address = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        address, {request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours and address.startswith("/") else "/"


def _remember(response: HttpResponse, name: str, value: str) -> HttpResponse:
    response.set_cookie(
        name, value, max_age=YEAR, samesite="Lax", httponly=True, secure=settings.SESSION_COOKIE_SECURE
    )
    return response
