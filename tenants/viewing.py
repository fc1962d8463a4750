"""Staff who look at a tenant's pages: each page they open is written down, and shown only if it could be."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.http import HttpResponseBase
from django.shortcuts import render

from tenants.audit import Action, record
from tenants.models import AuditEntry, Tenant, User
from tenants.requests import TenantRequest
from tenants.throttle import network_of

logger = logging.getLogger(__name__)

AGAIN = timedelta(minutes=15)  # who opens the same page within this time is written down once
KEPT_OPEN = timedelta(days=1)  # a page that is left open is written down anew after so long
LONGEST = 200  # characters of an address


def noted(request: TenantRequest, response: HttpResponseBase, at: datetime) -> HttpResponseBase:
    """The answer to staff once it is written down that they got it; a page that says why not where it can't be.

    Somebody's figures that were shown without a trace could never be accounted for, so they are not shown. What
    only leads elsewhere is no look.
    """
    if 300 <= response.status_code < 400:
        return response
    tenant = request.tenant
    assert tenant is not None  # tenant_page has found it
    pause = KEPT_OPEN if _is_poll(request) else AGAIN
    try:
        note_view(tenant, request.user, request.path, at, pause=pause, network=network_of(request))
    except DatabaseError:
        logger.exception("%s was not shown to %s: that can't be recorded", request.path, request.user)
        return render(request, "tenants/not_recorded.html", status=503)
    return response


def note_view(
    tenant: Tenant, person: User, page: str, at: datetime, *, pause: timedelta, network: str
) -> bool:
    """Keep that `person` opened this page; False, after one query, where that was kept within `pause`."""
    seen = AuditEntry.objects.views(tenant, person, page[:LONGEST], at - pause)
    if seen.exists():
        return False
    with transaction.atomic():
        # Two pages opened at once wait for each other here, so that the second finds what the first wrote.
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        if seen.exists():
            return False
        record(tenant, Action.VIEWED, actor=person, at=at, page=page[:LONGEST], network=network)
    return True


def _is_poll(request: TenantRequest) -> bool:
    """Whether a page that is open asks for what is new."""
    return bool(request.htmx) and "seen" in request.GET
