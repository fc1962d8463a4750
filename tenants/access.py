"""Who may open a page: members of the tenant in its address whose role is large enough, and operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone

from tenants.models import Membership, Tenant
from tenants.requests import CHOSEN, TenantRequest, as_tenant_request
from tenants.viewing import noted
from tenants.zones import show_times_in

P = ParamSpec("P")
TenantView = Callable[Concatenate[TenantRequest, P], HttpResponseBase]
DjangoView = Callable[..., HttpResponseBase]

Role = Membership.Role


def tenant_page(
    minimum_role: Role = Role.VIEWER, *, is_of_reader: bool = False
) -> Callable[[TenantView[P]], DjangoView]:
    """For views addressed by `<slug>`: sets `request.tenant` and `.membership`, and remembers the choice.

    404 for who is no member, so that nobody learns which tenants exist; a page with 403 where the role is too
    small. Staff may look at every tenant, not act for it: `membership` is None then and `is_viewing_as` True, each
    page is written down, and nothing can be posted but what is the reader's own wherever they are (`is_of_reader`).
    """

    def decorate(view: TenantView[P]) -> DjangoView:
        @wraps(view)
        def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            asked = as_tenant_request(request)
            _enter(asked, str(kwargs["slug"]))
            if not _may(asked, minimum_role, is_of_reader=is_of_reader):
                raise PermissionDenied
            answer = view(asked, *args, **kwargs)
            return noted(asked, answer, timezone.now()) if asked.is_viewing_as else answer

        return page

    return decorate


def staff_page(view: TenantView[P]) -> DjangoView:
    """For pages of the operations team; 404 for everyone else."""

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_staff:
            raise Http404
        return view(as_tenant_request(request), *args, **kwargs)

    return page


def _may(request: TenantRequest, minimum_role: Role, *, is_of_reader: bool) -> bool:
    """Members by their role; staff may read everything, and post only what concerns themselves."""
    if request.membership is not None:
        return request.membership.reaches(minimum_role)
    return request.method in ("GET", "HEAD") or is_of_reader


def _enter(request: TenantRequest, slug: str) -> None:
    """Make the tenant of the address the request's; raises Http404 for who has no business there."""
    membership = Membership.objects.open_to(request.user).filter(tenant__slug=slug).first()
    request.membership = membership
    if membership is None:
        if not request.user.is_staff:
            raise Http404
        request.is_viewing_as = True
        request.tenant = get_object_or_404(Tenant, slug=slug)
        show_times_in(request.user.time_zone, request.tenant.time_zone)
        return
    request.tenant = membership.tenant
    show_times_in(request.user.time_zone, membership.tenant.time_zone)
    # Written only when it changed: a poll every few seconds must not write the session each time.
    if request.session.get(CHOSEN) != membership.tenant_id:
        request.session[CHOSEN] = membership.tenant_id
