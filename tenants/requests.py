"""What a request knows about its tenant, as every middleware and view after TenantMiddleware sees it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from django.http import HttpRequest

from tenants.models import ApiKey, Membership, Tenant, User

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

# The session's key that holds the id of the tenant a person looked at last.
CHOSEN = "tenant"


class TenantRequest(HttpRequest):
    """A request after TenantMiddleware: `request.tenant` is a Tenant or None.

    A signed-in member's chosen tenant is looked up when `tenant` or `membership` is first read, so that pages
    that don't ask pay nothing. The look-up is synchronous: before an async view, a middleware has to read it.
    """

    user: User  # a person in every view behind LoginRequiredMiddleware, else AnonymousUser
    htmx: HtmxDetails
    request_id: str
    api_key: ApiKey | None = None
    is_viewing_as: bool = False

    @cached_property
    def membership(self) -> Membership | None:
        """What the signed-in person is in the request's tenant; None for programs, strangers and staff."""
        if self.api_key or not self.user.is_authenticated:
            return None
        named: Tenant | None = self.__dict__.get("tenant")
        tenant_id = named.pk if named else self.session.get(CHOSEN)
        if tenant_id is None or (named is None and "tenant" in self.__dict__):
            return None
        return Membership.objects.open_to(self.user).filter(tenant_id=tenant_id).first()

    @cached_property
    def tenant(self) -> Tenant | None:
        """Whose usage this is: named by TenantMiddleware or `tenant_page`, else the one chosen last."""
        return self.membership.tenant if self.membership else None

    @property
    def sees_money(self) -> bool:
        """Owners, admins and staff see amounts, viewers don't."""
        return self.is_viewing_as or (self.membership is not None and self.membership.sees_money)


def as_tenant_request(request: HttpRequest) -> TenantRequest:
    """The same object, from now on also a TenantRequest."""
    if not isinstance(request, TenantRequest):
        request.__class__ = _variant_of(type(request))
    return cast(TenantRequest, request)


def _variant_of(base: type[HttpRequest]) -> type[TenantRequest]:
    """WSGI's or ASGI's own request class with the tenant's attributes; made once for each."""
    if base not in _variants:
        _variants[base] = type(f"Tenant{base.__name__}", (TenantRequest, base), {})
    return _variants[base]


_variants: dict[type[HttpRequest], type[TenantRequest]] = {}
