"""Tells counting, in the name of who edits, that what tenants may use has changed."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest
from django.utils import timezone

from billing.changes import Kind, limits_changed
from tenants.models import Tenant, User


def person(request: HttpRequest) -> User:
    """Who edits: the admin is open to people alone."""
    return cast(User, request.user)


def tell(request: HttpRequest, tenants: list[int], reason: str, kind: Kind = Kind.LIMITS) -> None:
    """Let counting know that what these tenants (ids) may use has changed."""
    limits_changed(
        Tenant.objects.filter(pk__in=tenants),
        reason=reason,
        at=timezone.now(),
        actor=person(request),
        kind=kind,
    )
