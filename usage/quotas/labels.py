"""Where use came from: the method and route of a request, short enough to count under."""

from __future__ import annotations

from django.http import HttpRequest

from usage.metering import LABEL_BYTES


def label_of(request: HttpRequest) -> str:
    """“GET /demo/api/ping”: the pattern, not the address, so that a tenant has a handful of them."""
    match = request.resolver_match
    route = match.route if match else ""
    return fitted(f"{request.method} /{route.removeprefix('^').removesuffix('$')}")


def fitted(label: str) -> str:
    """`label` cut to 48 bytes, never inside a character."""
    return label.encode(errors="replace")[:LABEL_BYTES].decode(errors="ignore")
