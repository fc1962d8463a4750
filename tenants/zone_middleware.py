"""Shows times to signed-in people in the zone they chose."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from tenants.models import User
from tenants.requests import TenantRequest
from tenants.zones import show_times_in


class ZoneMiddleware(MiddlewareMixin):
    """Activates a person's own zone for each page; pages of a tenant go on to the tenant's, where there is none.

    Programs get UTC, and so does the admin, where times are also typed in.
    """

    def process_request(self, request: HttpRequest) -> None:
        timezone.deactivate()  # what the request before it in this thread was shown in

    def process_view(self, request: TenantRequest, view: Any, _args: Any, _kwargs: Any) -> None:
        # Views that need no person must not cost a look for one.
        if not getattr(view, "login_required", True) or request.api_key is not None:
            return
        person: User | AnonymousUser = request.user
        match = request.resolver_match
        if isinstance(person, User) and match is not None and match.app_name != "admin":
            show_times_in(person.time_zone)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        timezone.deactivate()
        return response
