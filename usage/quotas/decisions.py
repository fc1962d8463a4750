"""What one request was charged: asked for, remembered, given back when the view fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from django.http import HttpRequest
from django.utils import timezone

from billing.models import Metric
from tenants.models import Tenant
from tenants.requests import TenantRequest
from usage.metering import Charge, CountsUnavailable, Decision, TenantClosed, consume, record
from usage.metering.catalogue import catalogue
from usage.quotas.labels import fitted, label_of

logger = logging.getLogger(__name__)

ATTRIBUTE = "_quota_use"
WITHOUT_KEY = "Send an API key of the tenant: “Authorization: Bearer hr_…”."
WITHOUT_TENANT = "A service key acts for a tenant: name it by its slug in X-Tenant-ID."


class Refused(Exception):
    """A charge did not fit; nothing was counted. The middleware answers 429."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(str(decision.refused))
        self.decision = decision


class NotAdmitted(Exception):
    """This request may not use anything: status, title and detail of the answer."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


@dataclass(slots=True)
class Use:
    """What one request was charged so far; `returnable` charges undo its moves of levels."""

    tenant: Tenant
    at: datetime
    decisions: list[Decision] = field(default_factory=list)
    returnable: list[Charge] = field(default_factory=list)
    records: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        return any(decision.refused for decision in self.decisions)


def use_of(request: HttpRequest) -> Use | None:
    """What `request` was charged so far; None when nothing was."""
    use: Use | None = request.__dict__.get(ATTRIBUTE)
    return use


def charge(
    request: HttpRequest, *charges: Charge, gates: Sequence[str] = (), records: tuple[str, ...] = ()
) -> Decision:
    """Count `charges` for the tenant of `request`, all of them or none; for amounts known only inside the view:

        charge(request, Charge("storage", grown))
        await sync_to_async(charge)(request, Charge("storage", grown))      # in an async view

    What it moves of levels is given back when the view then raises or answers 5xx; a plain `consume()` gives
    nothing back and leaves the answer's headers alone. `gates` are refused where they are used up, and not counted;
    `records` are counted by the bytes of the answer. Charges without a label get the request's method and route.
    Raises Refused (answered 429), NotAdmitted (400, 401, 403), CountsUnavailable (503) and ChargeError; the
    middleware answers the first three, so a view need not catch them.
    """
    return charge_tenant(request, admit(request), charges, gates, records)


def charge_tenant(
    request: HttpRequest,
    tenant: Tenant,
    charges: Sequence[Charge],
    gates: Sequence[str],
    records: tuple[str, ...],
) -> Decision:
    """The same for the tenant that was admitted already."""
    use = use_of(request) or _begin(request, tenant)
    named = [_named(one, request) for one in charges]
    request_id = getattr(request, "request_id", "")
    decision = consume(tenant, *named, gates=gates, at=use.at, request_id=request_id)
    use.decisions.append(decision)
    if decision.refused:
        raise Refused(decision)
    use.records += records
    # Asked of the catalogue, not of the gauges: a decision made while Redis is away has none.
    use.returnable += [one._replace(amount=-one.amount) for one in named if _is_level(one)]
    return decision


def admit(request: HttpRequest, *, keys_only: bool = False) -> Tenant:
    """The tenant of `request`, if it may use something now. Raises NotAdmitted."""
    asking = cast(TenantRequest, request)
    tenant = asking.tenant
    if tenant is None:
        raise NotAdmitted(400, "Tenant required", WITHOUT_TENANT if asking.api_key else WITHOUT_KEY)
    if keys_only and asking.api_key is None:
        raise NotAdmitted(401, "Key required", f"This address takes API keys only. {WITHOUT_KEY}")
    if tenant.is_active:
        return tenant
    if tenant.is_closed:
        raise NotAdmitted(403, "Tenant closed", f"{tenant.name} is closed and uses nothing any more.")
    raise NotAdmitted(
        403, "Tenant suspended", f"{tenant.name} is suspended. Ask operations to activate it again."
    )


def give_back(use: Use, at: datetime) -> None:
    """Undo what was moved of levels; sums and distinct members stay counted. A second call does nothing."""
    charges, use.returnable = use.returnable, []
    if charges:
        _record(use, charges, at)


def record_bytes(use: Use, size: int, label: str, at: datetime) -> None:
    """Count `size` bytes of the response for the metrics that were gated before it."""
    if size:
        _record(use, [Charge(metric, size, label) for metric in use.records], at)


def _named(charge: Charge, request: HttpRequest) -> Charge:
    metric, amount, label, member = charge
    return Charge(metric, amount, (label and fitted(label)) or label_of(request), member)


def _is_level(charge: Charge) -> bool:
    return catalogue(code=charge.metric).metric(charge.metric).kind == Metric.Kind.LEVEL


def _begin(request: HttpRequest, tenant: Tenant) -> Use:
    use = Use(tenant, timezone.now())
    request.__dict__[ATTRIBUTE] = use
    return use


def _record(use: Use, charges: Sequence[Charge], at: datetime) -> None:
    try:
        use.decisions.append(record(use.tenant, *charges, at=at))
    except (CountsUnavailable, TenantClosed) as error:
        # The view has done its work already: an answer of 503 would only make the client do it twice.
        logger.error("Not counted for tenant %s: %s (%s)", use.tenant.slug, charges, error)  # noqa: TRY400
