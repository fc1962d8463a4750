"""The row of figures above a period's bill: what it is, what it will be, and how the one before was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.utils.dateformat import format as written
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from billing.models import Statement
from billing.pricing import Bill
from usage.amounts import money, more_or_less, with_sign
from usage.reports import dates
from usage.reports.charts import percent
from usage.reports.outlook import Outlook
from usage.reports.readings import Reading
from usage.reports.summary import forecast_tile


class CostTile(NamedTuple):
    """A figure, what it is, its context, and the number of the statement it comes from."""

    name: str
    figure: str
    note: str
    number: str = ""


def open_tiles(
    now: Reading, bill: Bill, outlook: Outlook | None, last: Statement | None
) -> Iterator[CostTile]:
    """Of a period that lasts; `last` is the statement of the one before."""
    counted = f"{dates.moment(now.counted_to)} {dates.zone_at(now.counted_to)}"
    moment = _("to %(moment)s") % {"moment": counted}
    yield CostTile(_("Bill so far"), money(bill.total), moment)
    if outlook:
        yield CostTile(*forecast_tile(outlook, now.period))
    else:
        yield CostTile(_("Forecast"), "–", _("once a day and 5 % of the period are over"))
    if last:
        total, name = (outlook.total, _("Forecast")) if outlook else (bill.total, _("So far"))
        vs = _("%(this)s vs %(before)s") % {"this": name, "before": _before(last)}
        yield from _compared(last, total, settings.HEADROOM_CURRENCY, vs)


def closing_tile(draft: Statement) -> CostTile:
    """Of a period that has ended and has no statement yet."""
    return CostTile(_("Bill"), money(draft.total), _("being closed; its statement comes soon"))


def closed_tiles(
    statement: Statement, adjusting: Iterable[Statement], last: Statement | None
) -> Iterator[CostTile]:
    """Of what was issued, with what adjusts it."""
    yield _issued(_("Total before tax"), statement)
    for one in adjusting:
        yield _issued(_("Adjustment"), one)
    if last:
        against = _("Against %(before)s") % {"before": _before(last)}
        yield from _compared(last, statement.total, statement.currency, against)


def _before(last: Statement) -> str:
    """“October”; a period that is no calendar month has no name."""
    return written(last.period, "F") if last.period.day == 1 else _("the period before")


def _issued(name: str, one: Statement) -> CostTile:
    return CostTile(name, money(one.total, one.currency), _("statement"), one.number)


def _compared(last: Statement, total: Decimal, currency: str, name: str) -> Iterator[CostTile]:
    """The period before, and how much more this one is; amounts of two currencies are not compared."""
    yield _issued(capfirst(_before(last)), last)
    if last.currency != currency:
        return
    more = total - last.total
    note = with_sign(f"{abs(percent(int(more * 100), int(last.total * 100)))} %", more) if last.total else ""
    yield CostTile(name, more_or_less(more), note)
