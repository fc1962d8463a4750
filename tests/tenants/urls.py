"""Pages to try access on: the real ones around signing in, and small ones behind each gate."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import include, path

from tenants.access import Role, staff_page, tenant_page
from tenants.requests import TenantRequest, as_tenant_request


@login_not_required
def whose(request: HttpRequest) -> HttpResponse:
    """What the middleware found."""
    asked = as_tenant_request(request)
    return JsonResponse(
        {
            "tenant": asked.tenant.slug if asked.tenant is not None else None,
            "role": asked.membership.role if asked.membership is not None else None,
            "key": asked.api_key.name if asked.api_key is not None else None,
        }
    )


@login_not_required
def nothing(request: HttpRequest, **_: str) -> HttpResponse:
    """Asks for nothing."""
    return HttpResponse("nothing")


@login_not_required
async def asynchronous(request: HttpRequest) -> HttpResponse:
    """A view of a host application under ASGI."""
    asked = as_tenant_request(request)
    return JsonResponse({"tenant": asked.tenant.slug if asked.tenant is not None else None})


@tenant_page()
def overview(request: TenantRequest, slug: str) -> HttpResponse:
    assert request.tenant is not None
    assert request.tenant.slug == slug
    role = request.membership.role if request.membership else None
    return JsonResponse({"role": role, "money": request.sees_money, "viewing_as": request.is_viewing_as})


@tenant_page(Role.ADMIN)
def settings(request: TenantRequest, slug: str) -> HttpResponse:
    return HttpResponse(slug)


@tenant_page()
def away(request: TenantRequest, slug: str) -> HttpResponse:
    return HttpResponseRedirect(f"/t/{slug}/")


@staff_page
def tenants(request: TenantRequest) -> HttpResponse:
    return HttpResponse("all tenants")


usage = [
    path("t/<slug:slug>/", overview, name="overview"),
    path("t/<slug:slug>/settings/", settings, name="settings"),
    path("t/<slug:slug>/away/", away, name="away"),
    path("staff/tenants/", tenants, name="tenants"),
    path("staff/tenants/<slug:slug>/", nothing, name="staff_tenant"),
    path("theme/", nothing, name="theme"),
]
urlpatterns = [
    path("", include("tenants.urls")),
    path("", include((usage, "usage"))),
    path("whose/", whose),
    path("nothing/", nothing),
    path("async/", asynchronous),
    path("admin/", admin.site.urls),
]
