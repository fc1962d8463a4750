"""Why a tenant may do what it may do: one timeline of all that changed it, and the last refusals one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext_lazy

from tenants.models import Tenant
from usage.amounts import without_amounts
from usage.metering import Cause, PastRefusal, last_refusals
from usage.metering.catalogue import catalogue
from usage.reports import dates
from usage.reports.happenings import BEHIND, SOURCES, Happening, Mark, happenings
from usage.reports.people import name_of

SIZE = 50
CAUSES = {
    Cause.LIMIT: gettext_lazy("limit"),
    Cause.CAP: gettext_lazy("spend cap"),
    Cause.BURST: gettext_lazy("burst"),
}
_signer = Signer(salt="usage.why")


@dataclass(frozen=True, slots=True)
class WhyLine:
    """One thing that happened, as the list shows it; `actor` is empty for what happened by itself."""

    code: str
    icon: str
    text: str
    at: datetime
    when: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """One refused request."""

    at: datetime
    when: str
    metric: str
    cause: str
    label: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Why:
    """One page of the timeline, and the last refusals: None where Redis is away."""

    lines: tuple[WhyLine, ...]
    refusals: tuple[RefusedLine, ...] | None
    older: str  # cursor of the next page, empty on the last
    is_first: bool


def why(
    tenant: Tenant,
    at: datetime,
    *,
    after: str = "",
    for_staff: bool = False,
    with_money: bool = True,
    size: int = SIZE,
) -> Why:
    """A page of what happened until `at`, or before a cursor; a cursor that is not ours begins anew."""
    mark = _read(after)
    found = happenings(tenant, mark or Mark(at, len(SOURCES), BEHIND), size + 1)
    shown = found[:size]
    return Why(
        tuple(_line(one, at, for_staff=for_staff, with_money=with_money) for one in shown),
        None if (refusals := last_refusals(tenant)) is None else tuple(_refused(one, at) for one in refusals),
        _written(shown[-1].mark) if len(found) > size else "",
        mark is None,
    )


def _line(one: Happening, at: datetime, *, for_staff: bool, with_money: bool) -> WhyLine:
    actor = name_of(one.actor, for_staff=for_staff)
    reason = one.reason if with_money else without_amounts(one.reason)
    return WhyLine(one.code, one.icon, one.text, one.mark.at, dates.when(one.mark.at, at), actor, reason)


def _refused(one: PastRefusal, at: datetime) -> RefusedLine:
    metric = catalogue().metrics.get(one.metric)
    return RefusedLine(
        one.at,
        f"{dates.when(one.at, at)}:{one.at:%S}",
        metric.name if metric else one.metric,
        str(CAUSES[one.cause]),
        one.label,
        one.request_id,
    )


def _written(mark: Mark) -> str:
    return _signer.sign_object([mark.at.isoformat(), mark.source, mark.id])


def _read(cursor: str) -> Mark | None:
    try:
        at, source, number = _signer.unsign_object(cursor)
    except BadSignature:
        return None
    return Mark(datetime.fromisoformat(at), source, number)
