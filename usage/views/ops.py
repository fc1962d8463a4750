"""What load balancers and monitoring ask: alive, ready. Open to everyone, so they say nothing of tenants."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

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
