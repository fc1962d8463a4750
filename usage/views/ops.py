"""What load balancers and monitoring ask: alive, ready, and in numbers. None of it says anything of a tenant."""

from __future__ import annotations

from hmac import compare_digest

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tenants.problems import problem
from tenants.requests import as_tenant_request
from usage.reports.openmetrics import CONTENT_TYPE, openmetrics
from usage.reports.readiness import readiness


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process runs and answers; asks no server, so that an outage of one restarts nothing."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@never_cache
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """200 where all is well, else 503 and what is wrong."""
    found = readiness(timezone.now())
    answer = {
        "status": "ready" if found.is_ready else "not ready",
        "checks": {name: getattr(found, name) or "ok" for name in ("postgresql", "redis", "flush")},
        "flush_lag_seconds": None if found.lag is None else round(found.lag.total_seconds(), 3),
    }
    return JsonResponse(
        answer, status=200 if found.is_ready else 503, json_dumps_params={"ensure_ascii": False}
    )


@require_safe
@never_cache
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """For who brings HEADROOM_METRICS_TOKEN, and for staff. An address is no proof: a proxy's is everyone's."""
    if not (_has_token(request) or request.user.is_staff):
        detail = "Send HEADROOM_METRICS_TOKEN: Authorization: Bearer …, or sign in as staff."
        headers = {"WWW-Authenticate": "Bearer"}
        return problem(
            as_tenant_request(request), status=401, title="Token required", detail=detail, headers=headers
        )
    return HttpResponse(openmetrics(timezone.now()), content_type=CONTENT_TYPE)


def _has_token(request: HttpRequest) -> bool:
    expected: str = settings.HEADROOM_METRICS_TOKEN
    given = request.headers.get("Authorization", "").encode()
    return bool(expected) and compare_digest(given, f"Bearer {expected}".encode())
