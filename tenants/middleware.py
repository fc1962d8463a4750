"""Finds the tenant of a request; refuses keys that open nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from tenants.keys import KeyRefused, find_key, note_use
from tenants.models import ApiKey, Tenant
from tenants.problems import problem
from tenants.requests import TenantRequest, as_tenant_request
from tenants.slugs import find_tenant

logger = logging.getLogger(__name__)

Resolver = Callable[[HttpRequest], str | None]


class NoSuchTenant(Exception):
    """A service key acts for a tenant that doesn't exist."""


class TenantMiddleware(MiddlewareMixin):
    """Sets `request.tenant` and `request.api_key`; what a signed-in person chose is found when asked for.

    In this order: the host application's resolver; the tenant of the API key; `X-Tenant-ID`, only together
    with a service key; what the person chose. A header alone never spends a tenant's quota.
    """

    def process_request(self, plain: HttpRequest) -> HttpResponse | None:
        request = as_tenant_request(plain)
        at = timezone.now()
        try:
            request.api_key = presented_key(request, at)
            _set_tenant(request, at)
        except KeyRefused as refusal:
            return _key_refused(request, str(refusal))
        except NoSuchTenant as refusal:
            return problem(request, status=400, title=_("Tenant required"), detail=str(refusal))
        except (OperationalError, InterfaceError) as error:
            # Without PostgreSQL nobody can say who a key or slug that isn't remembered belongs to.
            logger.warning("PostgreSQL does not answer; the tenant of a request stays unknown: %s", error)
            return _unavailable(request)
        if request.api_key is not None:
            _note_use(request.api_key, at)
        return None


def presented_key(request: HttpRequest, at: datetime) -> ApiKey | None:
    """The key in the Authorization header, if it is one of ours; raises KeyRefused when it opens nothing."""
    # Asked of META: `request.headers` first takes every header apart, for each request anew.
    scheme, _space, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.lstrip().startswith("hr_"):
        return None
    return find_key(secret.strip(), at)


def _set_tenant(request: TenantRequest, at: datetime) -> None:
    """What names the tenant without a session; what a person chose is found when first asked for."""
    key = request.api_key
    if slug := _resolve(request):
        request.tenant = _resolved(slug, key, at)
    elif key is not None and key.scope == ApiKey.Scope.TENANT:
        request.tenant = key.tenant
    elif key is not None:
        request.tenant = _named(request, at)


def _resolve(request: HttpRequest) -> str | None:
    """What the host application's own function says; None where there is none."""
    path: str = settings.HEADROOM_TENANT_RESOLVER
    if not path:
        return None
    try:
        resolver: Resolver = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"HEADROOM_TENANT_RESOLVER={path!r} can't be imported ({error}): use package.module.function."
        ) from error
    return resolver(request)


def _resolved(slug: str, key: ApiKey | None, at: datetime) -> Tenant | None:
    """The tenant that the host application named; a key of another tenant opens nothing there."""
    tenant = find_tenant(slug, at)
    if tenant is None:
        logger.warning("HEADROOM_TENANT_RESOLVER named the tenant %r, which doesn't exist", slug)
    if key is not None and key.tenant_id is not None and (tenant is None or key.tenant_id != tenant.pk):
        raise KeyRefused(_("This key belongs to another tenant."))
    return tenant


def _named(request: HttpRequest, at: datetime) -> Tenant | None:
    """The tenant a service key acts for; None when it names none."""
    slug = request.META.get("HTTP_X_TENANT_ID", "").strip()
    if not slug:
        return None
    tenant = find_tenant(slug, at)
    if tenant is None:
        detail = _("X-Tenant-ID names the tenant “%(slug)s”, which doesn't exist. Use the tenant's slug.")
        raise NoSuchTenant(detail % {"slug": slug[:80]})
    return tenant


def _note_use(key: ApiKey, at: datetime) -> None:
    try:
        note_use(key, at)
    except (DatabaseError, InterfaceError) as error:
        # When a key was last used is good to know, never worth refusing a request for.
        logger.warning("The last use of API key %s was not written down: %s", key.prefix, error)


def _key_refused(request: HttpRequest, detail: str) -> HttpResponse:
    return problem(
        request, status=401, title=_("Key not valid"), detail=detail, headers={"WWW-Authenticate": "Bearer"}
    )


def _unavailable(request: HttpRequest) -> HttpResponse:
    return problem(
        request,
        status=503,
        type="https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
        title=_("Temporarily unavailable"),
        detail=_("The server can't look up tenants just now. Try again in a few seconds."),
        headers={"Retry-After": "5"},
    )
