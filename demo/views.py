"""The metered API of the sample product; programs use it with an API key."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from demo.inputs import Content, checked, content_of, file_name, user_of
from demo.models import DemoFile
from tenants.models import Tenant
from tenants.problems import problem
from tenants.requests import TenantRequest
from usage.metering import Charge
from usage.quotas import charge, quota

LISTED = 1_000


@login_not_required
@csrf_exempt
@require_GET
@quota("api_calls", records="bandwidth", keys_only=True)
def ping(request: HttpRequest) -> HttpResponse:
    """One API call; its answer's bytes are bandwidth."""
    return JsonResponse({"pong": True, "tenant": _tenant(request).slug})


@login_not_required
@csrf_exempt
@require_GET
@quota("api_calls", records="bandwidth", keys_only=True)
def files(request: HttpRequest) -> HttpResponse:
    """The tenant's files, at most the first thousand by name."""
    rows = DemoFile.objects.of(_tenant(request)).values("name", "size", "sha256")[:LISTED]
    return JsonResponse({"files": list(rows)})


@login_not_required
@csrf_exempt
@require_http_methods(["PUT", "DELETE"])
@quota(keys_only=True)
@checked
def file(request: HttpRequest, name: str) -> HttpResponse:
    """Store or delete a file: storage goes up or down by the difference."""
    if request.method == "PUT":
        return _put(request, file_name(name), content_of(request))
    return _delete(request, file_name(name))


@login_not_required
@csrf_exempt
@require_POST
@quota(keys_only=True)
@checked
def sessions(request: HttpRequest) -> HttpResponse:
    """Someone signs in to the product: counted once a period, however often they come."""
    user = user_of(request)
    charge(request, Charge("users", member=user))
    return JsonResponse({"user": user}, status=201)


@transaction.atomic
def _put(request: HttpRequest, name: str, content: Content) -> HttpResponse:
    stored, is_new = DemoFile.objects.claimed(_tenant(request), name)
    # A refusal leaves the transaction, and with it the file, undone; a transaction that fails gives the charge back.
    if grown := content.size - stored.size:
        charge(request, Charge("storage", grown))
    stored.size, stored.sha256 = content
    stored.save()
    return JsonResponse({"name": name, **content._asdict()}, status=201 if is_new else 200)


@transaction.atomic
def _delete(request: HttpRequest, name: str) -> HttpResponse:
    stored = DemoFile.objects.of(_tenant(request)).select_for_update().filter(name=name).first()
    if stored is None:
        return problem(request, status=404, title="No such file", detail=f"There is no file “{name}”.")
    if stored.size:
        charge(request, Charge("storage", -stored.size))
    stored.delete()
    return HttpResponse(status=204)


def _tenant(request: HttpRequest) -> Tenant:
    tenant = cast(TenantRequest, request).tenant
    assert tenant is not None  # @quota admits no request without one
    return tenant
