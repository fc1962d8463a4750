"""What a tenant pays for a period: so far and by its end while it lasts, then as it was issued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from billing.documents import Document, document_of
from billing.models import Statement
from billing.periods import Period, period_at, period_before
from tenants.models import Tenant
from usage.amounts import money
from usage.money.closing import drafts
from usage.reports import dates
from usage.reports.bill_lines import Line, fee_line, usage_line
from usage.reports.cost_tiles import CostTile, closed_tiles, closing_tile, open_tiles
from usage.reports.offers import Offers, offers
from usage.reports.readings import Reading, reading

PERIODS = 24  # to choose from


class Choice(NamedTuple):
    """A period to look at."""

    code: str
    text: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class CostReport:
    """One period's bill in words. `offers` only while it lasts; `statement` once it is issued."""

    tenant: Tenant
    period: Period
    choices: tuple[Choice, ...]
    title: str
    plans: str
    tiles: tuple[CostTile, ...]
    document: Document
    total: Decimal
    currency: str
    offers: Offers | None
    statement: Statement | None
    counted_to: datetime
    now: Reading | None = None  # how the tenant stands, where that was read

    @property
    def code(self) -> str:
        """The period's name in addresses."""
        return str(self.period)

    @property
    def days(self) -> str:
        return dates.days(self.period.first, self.period.last_day)

    @property
    def lines(self) -> list[Line]:
        """Base fees, then usage; they add up to the total."""
        fees = [fee_line(fee, self.currency) for fee in self.document["fees"]]
        return [*fees, *(usage_line(line, self.currency) for line in self.document["lines"])]

    @property
    def total_text(self) -> str:
        return money(self.total, self.currency)


def cost_report(tenant: Tenant, wanted: str, at: datetime) -> CostReport:
    """The period that begins on the day `wanted`; the present one for what names none."""
    now = period_at(tenant, at)
    papers = _papers(tenant)
    issued = [one for one in papers if one.kind == Statement.Kind.STATEMENT][:PERIODS]
    last = period_before(tenant, now)
    periods = [now, *(Period(one.period, one.until) for one in issued)]
    if last not in periods and tenant.created_at < last.ends:
        periods.insert(1, last)
    period = next((one for one in periods if str(one) == wanted), now)
    choices = tuple(_choice(one, now, period, issued) for one in periods)
    statement = next((one for one in issued if one.period == period.first), None)
    if statement:
        return _closed(tenant, choices, statement, papers)
    if period == now:
        return _open(tenant, choices, _before(now, issued), at)
    return _closing(tenant, choices, period, at)


def _papers(tenant: Tenant) -> list[Statement]:
    """The newest statements and adjustments, without their documents; one query."""
    return list(Statement.objects.of(tenant).defer("document")[: 2 * PERIODS])


def _choice(one: Period, now: Period, shown: Period, issued: Sequence[Statement]) -> Choice:
    if one == now:
        state = _("to date")
    elif any(statement.period == one.first for statement in issued):
        state = _("closed")
    else:
        state = _("being closed")
    text = _("%(days)s, %(state)s") % {"days": dates.days(one.first, one.last_day), "state": state}
    return Choice(str(one), text, one == shown)


def _before(period: Period, issued: Sequence[Statement]) -> Statement | None:
    """The statement of the period before."""
    originals = (one for one in issued if one.kind == Statement.Kind.STATEMENT)
    return next((one for one in originals if one.until == period.first), None)


def _open(tenant: Tenant, choices: tuple[Choice, ...], last: Statement | None, at: datetime) -> CostReport:
    now = reading(tenant, at, with_money=False)  # all plans are priced at once
    found = offers(now)
    own = found.own
    return CostReport(
        tenant=tenant,
        period=now.period,
        choices=choices,
        title=_("Bill so far"),
        plans=_plans([fee.plan for fee in own.bill.fees]),
        tiles=tuple(open_tiles(now, own.bill, own.outlook, last)),
        document=document_of(own.quote.rates, own.bill, now.contracts.entitlements(tenant, at)),
        total=own.bill.total,
        currency=settings.HEADROOM_CURRENCY,
        offers=found,
        statement=None,
        counted_to=now.counted_to,
        now=replace(now, bill=own.bill, outlook=own.outlook),
    )


def _closing(tenant: Tenant, choices: tuple[Choice, ...], period: Period, at: datetime) -> CostReport:
    """What will be issued as soon as all that was counted is written down."""
    [draft] = drafts([(tenant, period)], at)
    return _over(tenant, choices, draft, [closing_tile(draft)])


def _closed(
    tenant: Tenant, choices: tuple[Choice, ...], listed: Statement, papers: Sequence[Statement]
) -> CostReport:
    statement = Statement.objects.get(pk=listed.pk)
    adjusting = sorted((one for one in papers if one.of_id == statement.pk), key=attrgetter("pk"))
    last = _before(Period(statement.period, statement.until), papers)
    return _over(tenant, choices, statement, list(closed_tiles(statement, adjusting, last)))


def _over(
    tenant: Tenant, choices: tuple[Choice, ...], one: Statement, tiles: Sequence[CostTile]
) -> CostReport:
    """A period that has ended, from its statement or the draft of it."""
    document: Document = one.document
    return CostReport(
        tenant=tenant,
        period=Period(one.period, one.until),
        choices=choices,
        title=_("Statement %(number)s") % {"number": one.number} if one.pk else _("Bill, being closed"),
        plans=_plans([fee["plan"] for fee in document["fees"]]),
        tiles=tuple(tiles),
        document=document,
        total=one.total,
        currency=one.currency,
        offers=None,
        statement=one if one.pk else None,
        counted_to=one.issued_at,
    )


def _plans(names: Sequence[str]) -> str:
    """“Pro plan”, “Starter, then Pro”."""
    if len(names) == 1:
        return _("%(plan)s plan") % {"plan": names[0]}
    return _(", then ").join(names)
