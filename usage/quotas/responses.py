"""The wire formats of quotas: headers, the 429 as problem details or as a page, the other refusals."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from billing.models import Metric
from tenants.problems import problem
from tenants.requests import as_tenant_request
from usage.metering import BurstTooSmall, Cause, CountsUnavailable, Decision, Gauge, Refusal, TenantClosed
from usage.quotas.caps import cap_amount
from usage.quotas.decisions import NotAdmitted, Refused
from usage.quotas.page import quota_page, remedy_url
from usage.quotas.refusals import Explanation, seconds_until
from usage.quotas.sentences import sentence

logger = logging.getLogger(__name__)

TYPES = "https://iana.org/assignments/http-problem-types#"
LARGEST = 999_999_999_999_999  # RFC 9651: an integer has at most 15 digits
RETRY_AFTER_OUTAGE = 5
HTML = "text/html"
JSON = "application/json"

# Errors that charging raises and that are answers; whatever else it raises is a fault of the program.
ANSWERED = (Refused, NotAdmitted, CountsUnavailable, TenantClosed, BurstTooSmall)


def quota_headers(decisions: Sequence[Decision]) -> dict[str, str]:
    """X-Usage-Remaining, RateLimit-Policy and RateLimit for what was charged, in base units.

    A metric that was charged twice is shown as it stood last. A refusal shows in RateLimit only what it violated,
    so that its Retry-After is never earlier than a `t`.
    """
    gauges = {gauge.metric.code: gauge for decision in decisions for gauge in decision.gauges}
    if not gauges:
        return {}
    headers = {}
    first = next(iter(gauges.values()))
    if (headroom := first.headroom) is not None:
        headers["X-Usage-Remaining"] = str(headroom)
    if settings.HEADROOM_RATELIMIT_HEADERS != "ietf":
        return headers
    # A refusal is shown as it was decided, also where something was given back after it.
    shown = next((decision for decision in decisions if decision.refused), decisions[-1])
    if policies := list(_policies(gauges.values(), shown)):
        headers["RateLimit-Policy"] = ", ".join(policy.item for policy in policies)
        headers["RateLimit"] = ", ".join(policy.state for policy in _current(policies, shown))
    return headers


def answer(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to an error of ANSWERED."""
    match error:
        case Refused():
            return _refusal(request, error.decision)
        case NotAdmitted():
            challenge = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            return problem(
                request, status=error.status, title=error.title, detail=error.detail, headers=challenge
            )
        case TenantClosed():
            return problem(request, status=403, title="Tenant closed", detail=str(error))
        case BurstTooSmall():
            # Waiting would never help. The client asked for it, or the burst is smaller than what a view charges.
            logger.warning("%s", error)
            return problem(request, status=422, title="Too much at once", detail=str(error))
    logger.warning("Counts are unavailable: %s", error)
    return problem(
        request,
        status=503,
        type=f"{TYPES}temporary-reduced-capacity",
        title="Temporarily unavailable",
        detail="Usage can't be counted just now, so this request was not admitted. Try again in a few seconds.",
        headers={"Retry-After": str(RETRY_AFTER_OUTAGE)},
    )


class _Policy(NamedTuple):
    """One list item of both headers; no window and no reset for what does not reset."""

    name: str
    quota: int
    remaining: int
    window: int | None
    reset: int | None

    @property
    def item(self) -> str:
        return _item(self.name, q=self.quota, w=self.window)

    @property
    def state(self) -> str:
        return _item(self.name, r=self.remaining, t=self.reset)


def _policies(gauges: Iterable[Gauge], decision: Decision) -> Iterator[_Policy]:
    """What can refuse: each metric that has a stop, and each burst."""
    for gauge in gauges:
        name, stops = gauge.metric.code, [stop for stop in (gauge.stop, gauge.cap_stop) if stop is not None]
        if stops:
            stop = min(stops)
            times: tuple[int | None, int | None] = (None, None)
            if gauge.metric.kind != Metric.Kind.LEVEL:
                times = decision.period.seconds, seconds_until(decision.period.ends, decision.at)
            yield _Policy(name, stop, max(0, stop - gauge.used), *times)
        if gauge.burst is not None:
            yield _Policy(f"{name}.burst", gauge.burst, gauge.burst_left or 0, 60, gauge.burst_seconds)


def _current(policies: Iterable[_Policy], decision: Decision) -> Iterator[_Policy]:
    if decision.refused is None:
        yield from policies
        return
    refused = Explanation(decision, decision.refused)
    for policy in policies:
        if policy.name == refused.policy:
            yield policy._replace(reset=refused.wait) if refused.is_burst else policy


def _item(name: str, **parameters: int | None) -> str:
    told = (f";{key}={min(value, LARGEST)}" for key, value in parameters.items() if value is not None)
    return f'"{name}"{"".join(told)}'


def _refusal(request: HttpRequest, decision: Decision) -> HttpResponse:
    """429 with everything a program or a person needs to go on."""
    assert decision.refused is not None  # only refused decisions are raised
    refused = _explained(request, decision, decision.refused)
    headers = {} if refused.wait is None else {"Retry-After": str(refused.wait)}
    if request.get_preferred_type([JSON, HTML]) == HTML:
        page = quota_page(request, refused, headers | quota_headers([decision]))
        response = render(request, "usage/quota_429.html", {"page": page}, status=429)
        for name, value in {"Cache-Control": "no-store", **headers}.items():
            response[name] = value
    else:
        response = _refusal_problem(request, refused, headers)
    patch_vary_headers(response, ["Accept"])
    return response


def _explained(request: HttpRequest, decision: Decision, refusal: Refusal) -> Explanation:
    if refusal.cause != Cause.CAP:
        return Explanation(decision, refusal)
    return Explanation(
        decision, refusal, cap_amount(as_tenant_request(request), decision.tenant, decision.at)
    )


def _refusal_problem(request: HttpRequest, refused: Explanation, headers: dict[str, str]) -> HttpResponse:
    members = {
        "violated-policies": [refused.policy],
        "metric": refused.metric.code,
        "limit": refused.limit,
        "used": refused.used,
        "requested": refused.requested,
        "resets_at": _rfc3339(refused.resets_at),
        "upgrade_url": remedy_url(refused),
    }
    return problem(
        request,
        status=429,
        type=f"{TYPES}quota-exceeded",
        title="Quota exceeded",
        detail=sentence(refused),
        headers=headers,
        **members,
    )


def _rfc3339(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
