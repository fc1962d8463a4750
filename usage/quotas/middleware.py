"""Charges marked views and listed paths before the view runs; completes their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from tenants.requests import TenantRequest
from usage.quotas.decisions import admit, charge_tenant, give_back, record_bytes, use_of
from usage.quotas.decorators import Mark, mark_of
from usage.quotas.labels import label_of
from usage.quotas.paths import path_marks
from usage.quotas.responses import ANSWERED, answer, quota_headers
from usage.quotas.streams import when_sized

View = Callable[..., Any]


class QuotaMiddleware:
    """Comes last, so that nothing is charged that another middleware turns away.

    A view without a mark, on a path without a rule, costs the look and nothing more. In an asynchronous handler what
    waits for a server runs in the request's thread.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.mark_of_path = path_marks()
        self.is_async = iscoroutinefunction(get_response)
        self.process_view = self.charge_view_async if self.is_async else self.charge_view
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.run_async(request)
        return complete(request, self.get_response(request))

    async def run_async(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = await self.get_response(request)
        except asyncio.CancelledError:
            # The client has gone. An asynchronous view was stopped by that; one in a thread goes on to its end.
            if (match := request.resolver_match) and iscoroutinefunction(match.func):
                await sync_to_async(undo)(request)
            raise
        return response if use_of(request) is None else await sync_to_async(complete)(request, response)

    def charge_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        mark = self.mark(request, view)
        return None if mark is None else charge_mark(request, mark)

    async def charge_view_async(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        mark = self.mark(request, view)
        return None if mark is None else await sync_to_async(charge_mark)(request, mark)

    def mark(self, request: HttpRequest, view: View) -> Mark | None:
        """What the view is marked with, else what the settings say about its path."""
        return mark_of(view, request) or self.mark_of_path(request.path_info)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Give back what a view that raised had moved of levels; answer the errors that charging raises."""
        undo(request)
        return answer(request, error) if isinstance(error, ANSWERED) else None


def charge_mark(request: HttpRequest, mark: Mark) -> HttpResponse | None:
    """Charge `request` for what it is marked with; the answer, where that settles it."""
    try:
        tenant = admit(request, keys_only=mark.keys_only)
        charges = mark.charges(cast(TenantRequest, request))
        if charges or mark.records or mark.gates:
            charge_tenant(request, tenant, charges, (*mark.records, *mark.gates), mark.records)
    except ANSWERED as error:
        return answer(request, error)
    return None


def complete(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Give back after a failure, count the answer's bytes, write the headers."""
    use = use_of(request)
    if use is None:
        return response
    if response.status_code >= 500:
        undo(request)
    if use.records and not use.is_refused:
        label = label_of(request)
        when_sized(request, response, lambda size: record_bytes(use, size, label, timezone.now()))
    for name, value in quota_headers(use.decisions).items():
        response[name] = value
    return response


def undo(request: HttpRequest) -> None:
    """Give back what the request moved of levels."""
    if use := use_of(request):
        give_back(use, timezone.now())
