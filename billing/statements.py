"""Writes statements and adjustments: drafts from what a period costs, then numbers, then rows that stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from billing.documents import LineEntry, document_of
from billing.limits import Entitlements
from billing.models import Statement
from billing.numbering import numbers
from billing.pricing import Bill
from billing.rates import Rates


def draft(rates: Rates, cost: Bill, rights: Entitlements, at: datetime) -> Statement:
    """The statement of a period that costs `cost`; not numbered, not saved."""
    return Statement(
        kind=Statement.Kind.STATEMENT,
        tenant=rates.tenant,
        period=rates.period.first,
        until=rates.period.until,
        issued_at=at,
        currency=settings.HEADROOM_CURRENCY,
        base_fee=cost.base_fee,
        overage=cost.overage,
        total=cost.total,
        document=document_of(rates, cost, rights),
    )


def adjustment(of: Statement, lines: Sequence[LineEntry], at: datetime) -> Statement:
    """What differs from a statement: its lines are differences, and so is its total; not numbered, not saved."""
    amount = sum((Decimal(line["amount"]) for line in lines), Decimal(0))
    return Statement(
        kind=Statement.Kind.ADJUSTMENT,
        tenant=of.tenant,
        of=of,
        period=of.period,
        until=of.until,
        issued_at=at,
        currency=of.currency,
        base_fee=Decimal(0),
        overage=amount,
        total=amount,
        document={**of.document, "fees": [], "lines": list(lines)},
    )


def issue(drafts: Sequence[Statement]) -> list[Statement]:
    """Number and save them; call it in a transaction, as late as may be: others who number wait for its end."""
    for one, number in zip(drafts, numbers([one.period for one in drafts]), strict=True):
        one.number = number
    return Statement.objects.bulk_create(drafts)
