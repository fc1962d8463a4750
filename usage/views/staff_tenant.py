"""The staff page of one tenant: who it is, how it stands, what operations gave it, and giving it more for a time."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.reports.staff_tenant import staff_tenant as read_tenant

PAGE = "usage/staff_tenant.html"


@require_safe
@staff_page
def staff_tenant(request: TenantRequest, slug: str) -> HttpResponse:
    """All that operations need to know of one tenant on one page."""
    return render(request, PAGE, {"page": read_tenant(slug, timezone.now())})
