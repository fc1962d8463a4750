"""Refusals as RFC 9457 problem details; the only place that knows this format."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

CONTENT_TYPE = "application/problem+json"


def problem(
    request: HttpRequest,
    *,
    status: int,
    title: str,
    detail: str,
    type: str = "about:blank",
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """An answer that programs can read and people understand; `members` are added as they are.

    `error` and `message` repeat title and detail for clients that look for these.
    """
    facts = {
        "type": type,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance_of(request),
        "error": title,
        "message": detail,
        **members,
    }
    return JsonResponse(
        facts,
        status=status,
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
        json_dumps_params={"ensure_ascii": False},
    )


def instance_of(request: HttpRequest) -> str:
    """The request id as a URN, so that a problem is found in the logs."""
    request_id: str = getattr(request, "request_id", "") or str(uuid.uuid4())
    try:
        is_uuid = str(uuid.UUID(request_id)) == request_id.lower()
    except ValueError:
        is_uuid = False
    return f"urn:uuid:{request_id}" if is_uuid else f"urn:request:{request_id}"
