"""A tenant's history: each period, what was used of each metric, and the limit that was in force then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext as _

from billing.contracts import Contracts
from billing.documents import Document, Named
from billing.models import Allowance, Metric, Statement
from billing.periods import Period, period_at, period_before
from tenants.models import Tenant
from usage import units
from usage.reports import dates
from usage.reports.past_counts import PastCount, first_counted, past_counts
from usage.reports.statements import BEYOND

SIZE = 12
MOMENT = timedelta(microseconds=1)
_signer = Signer(salt="usage.history")


@dataclass(frozen=True, slots=True)
class PastLimit:
    """What a tenant could use of a metric when a period ended; none = without a limit."""

    included: int | None
    stop: int | None
    beyond: str
    is_priced: bool

    @property
    def size(self) -> int | None:
        return self.included if self.stop is None else self.stop

    @property
    def rule(self) -> str:
        """What happened beyond it: “Stops at the limit”; nothing where there was no limit."""
        if self.size is None:
            return ""
        is_free = self.beyond == Allowance.Beyond.BILL and not self.is_priced
        return _("Not charged over") if is_free else str(BEYOND.get(self.beyond, ""))


@dataclass(frozen=True, slots=True)
class PastUse:
    """One metric in one period; `limit` is none where the plan did not have it."""

    metric: Metric
    used: int
    refused: int
    limit: PastLimit | None

    @property
    def percent(self) -> int | None:
        """Whole percent of the limit, rounded down; none without a limit, or with one of nothing."""
        size = self.limit.size if self.limit else None
        return self.used * 100 // size if size else None

    @property
    def used_text(self) -> str:
        return units.number(self.metric, self.used)

    @property
    def limit_text(self) -> str:
        if self.limit is None:
            return _("not in the plan")
        return _("no limit") if self.limit.size is None else units.number(self.metric, self.limit.size)

    @property
    def rule(self) -> str:
        return self.limit.rule if self.limit else ""

    @property
    def share(self) -> str:
        return "–" if self.percent is None else f"{self.percent:,} %"


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """A period with the metrics that were used or refused; `number` is its statement's, empty while there is none."""

    period: Period
    plan: Named
    uses: tuple[PastUse, ...]
    is_running: bool
    number: str

    @property
    def days(self) -> str:
        return dates.days(self.period.first, self.period.last_day)


@dataclass(frozen=True, slots=True)
class History:
    """Some of a tenant's periods, newest first, and the cursor of older ones; empty where there are none."""

    tenant: Tenant
    periods: tuple[PastPeriod, ...]
    older: str
    is_first: bool

    @property
    def has_closed(self) -> bool:
        return not self.is_first or any(not one.is_running for one in self.periods)

    @property
    def first_ends(self) -> str:
        """When the period that runs is over, for who has no other: “1 Dec 2026, 00:00 UTC”."""
        return units.moment(self.periods[0].period.ends)


def history(tenant: Tenant, at: datetime, *, after: str = "", size: int | None = SIZE) -> History:
    """A page of the periods until `at`, or of all with no `size`; a cursor that is not ours begins anew.

    They begin with the first in which anything was counted. The limits of a period are those of its statement, or
    what is known of its last moment.
    """
    mark, now = _read(after), at.astimezone(UTC).date()
    first = min(first_counted(tenant) or now, now)
    every = takewhile(lambda one: one.until > first, _back(tenant, mark, at))
    wanted = list(every if size is None else islice(every, size + 1))
    shown = wanted if size is None else wanted[:size]
    older = _signer.sign(shown[-1].first.isoformat()) if len(wanted) > len(shown) else ""
    return History(tenant, tuple(_periods(tenant, shown, at)) if shown else (), older, mark is None)


def _back(tenant: Tenant, before: date | None, at: datetime) -> Iterator[Period]:
    """The period that runs, or the one before a day, and those before it."""
    period = period_at(tenant, at)
    while before is not None and period.first >= before:
        period = period_before(tenant, period)
    while True:
        yield period
        period = period_before(tenant, period)


def _periods(tenant: Tenant, periods: Sequence[Period], at: datetime) -> Iterator[PastPeriod]:
    counts = past_counts(tenant, periods)
    metrics = list(Metric.objects.all())
    issued = {one.period: one for one in _statements(tenant, periods)}
    contracts = Contracts([tenant], periods[-1].starts, is_read_only=True)
    for period in periods:
        statement = issued.get(period.first)
        if statement is not None:
            document: Document = statement.document
            plan, limits = document["plan"], _limits_of(document)
        else:
            rights = contracts.entitlements(tenant, min(at, period.ends - MOMENT))
            plan = Named(slug=rights.plan.slug, name=rights.plan.name)
            limits = {
                code: PastLimit(one.included, one.stop, one.allowance.beyond, bool(one.allowance.tiers.all()))
                for code, one in rights.limits.items()
            }
        uses = tuple(_uses(metrics, limits, counts, period))
        yield PastPeriod(period, plan, uses, period.ends > at, statement.number if statement else "")


def _statements(tenant: Tenant, periods: Sequence[Period]) -> Sequence[Statement]:
    rows = Statement.objects.originals().filter(tenant=tenant)
    return list(rows.filter(period__in=[period.first for period in periods]))


def _limits_of(document: Document) -> dict[str, PastLimit]:
    priced = {line["metric"] for line in document["lines"] if line["tiers"]}
    return {
        one["metric"]: PastLimit(one["included"], one["stop"], one["beyond"], one["metric"] in priced)
        for one in document["limits"]
    }


def _uses(
    metrics: Sequence[Metric],
    limits: Mapping[str, PastLimit],
    counts: Mapping[tuple[date, int], PastCount],
    period: Period,
) -> Iterator[PastUse]:
    for metric in metrics:
        found = counts.get((period.first, metric.pk))
        if found and (found.used or found.refused):
            yield PastUse(metric, found.used, found.refused, limits.get(metric.code))


def _read(cursor: str) -> date | None:
    """The first day of the last period that was shown; none for no cursor, and for one that is not ours."""
    try:
        return date.fromisoformat(_signer.unsign(cursor))
    except BadSignature:
        return None
