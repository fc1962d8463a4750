"""What stands in for Slack and for the tenants' own programs: takes alerts, checks signatures, and keeps them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from demo.models import DemoMessage
from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.alerts.vault import Shut
from usage.models import Endpoint

LARGEST = 20_000
SHOWN = 50


@login_not_required
@csrf_exempt
@require_POST
def slack(request: HttpRequest) -> HttpResponse:
    """As Slack's incoming webhooks answer."""
    content = _content(request)
    if content is None or "text" not in content:
        return HttpResponse("invalid_payload", status=400)
    DemoMessage.objects.keep("slack", str(content["text"]), content, timezone.now())
    return HttpResponse("ok")


@login_not_required
@csrf_exempt
@require_POST
def hook(request: HttpRequest, pk: int) -> HttpResponse:
    """A tenant's program: takes what is signed with the secret of its endpoint."""
    content = _content(request)
    if content is None or "type" not in content:
        return HttpResponse(status=400)
    if not _is_signed(request, pk):
        return HttpResponse(status=401)
    DemoMessage.objects.keep("webhook", str(content["type"]), content, timezone.now())
    return HttpResponse(status=204)


@login_not_required
@csrf_exempt
@require_POST
def broken(request: HttpRequest) -> HttpResponse:
    """A program that never works."""
    return HttpResponse(status=503)


@require_safe
@staff_page
def received(request: TenantRequest) -> HttpResponse:
    """What arrived, newest first."""
    return render(request, "demo/received.html", {"messages_received": DemoMessage.objects.newest(SHOWN)})


def _content(request: HttpRequest) -> dict[str, Any] | None:
    """The JSON object that was sent, if it is one and small enough."""
    if len(request.body) > LARGEST:
        return None
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _is_signed(request: HttpRequest, pk: int) -> bool:
    endpoint = Endpoint.objects.filter(pk=pk).first()
    try:
        secrets = endpoint.secrets(timezone.now()) if endpoint else []
    except Shut:
        return False
    return any(_fits(secret, request) for secret in secrets)


def _fits(secret: str, request: HttpRequest) -> bool:
    try:
        Verifier(secret).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True
