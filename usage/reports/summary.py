"""The row of figures under the verdict: spend, forecast, time left, refusals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Plan
from billing.periods import Period
from billing.pricing import Bill
from usage.reports import dates
from usage.reports.charts import percent
from usage.reports.meters import Meter
from usage.reports.money import money as in_words
from usage.reports.money import prices
from usage.reports.outlook import Outlook


class Tile(NamedTuple):
    """A figure, what it is, and its context."""

    name: str
    figure: str
    note: str


class Money(NamedTuple):
    """What a period costs so far and, where that can be said, by its end."""

    bill: Bill
    outlook: Outlook | None


def tiles(
    meters: Sequence[Meter],
    money: Money | None,
    causes: Mapping[str, int],
    plan: Plan,
    period: Period,
    at: datetime,
) -> Iterator[Tile]:
    """Four figures; who sees no money reads how many metrics are at risk instead."""
    if money is None:
        yield _at_risk(meters)
    else:
        yield from _spend(money, meters, plan, period)
    ends = _("%(day)s, 00:00 UTC") % {"day": dates.short(period.until)}
    yield Tile(_("Period ends in"), dates.countdown(period.ends - at), ends)
    yield Tile(_("Blocked, last 24 h"), f"{sum(causes.values()):,}", blocked(causes))


def forecast_tile(outlook: Outlook, period: Period) -> Tile:
    """What the period will cost: “between $378.20 and $390.40”."""
    band = {"low": in_words(outlook.low), "high": in_words(outlook.high)}
    if outlook.low < outlook.high:
        note = _("between %(low)s and %(high)s") % band
    else:
        note = _("where the spend cap stops it") if outlook.is_capped else _("nothing more is billed")
    return Tile(
        _("Forecast at %(day)s") % {"day": dates.short(period.last_day)}, in_words(outlook.total), note
    )


def _spend(money: Money, meters: Sequence[Meter], plan: Plan, period: Period) -> Iterator[Tile]:
    bill, outlook = money
    parts = {"base": in_words(bill.base_fee), "overage": in_words(bill.overage)}
    yield Tile(_("Spend to date"), in_words(bill.total), _("%(base)s plan + %(overage)s usage") % parts)
    if outlook:
        yield forecast_tile(outlook, period)
    else:
        yield Tile(_("Estimated overage"), in_words(bill.overage), _overage(meters, plan))


def meter_tiles(meter: Meter, plan: Plan) -> Iterator[Tile]:
    """Four figures of one metric: left, used, what it costs or when it ends, and what is expected."""
    yield Tile(_("Over") if meter.is_over else _("Left"), meter.figure, _left_note(meter))
    included = _("%(included)s included in %(plan)s") % {"included": meter.included_text, "plan": plan.name}
    yield Tile(_("Used"), meter.used_text, _("no limit") if meter.size is None else included)
    if meter.is_priced and meter.amount is not None and (meter.amount or not meter.forecast):
        yield Tile(_("Estimated overage"), in_words(meter.amount), prices(meter.metric, meter.price))
    elif meter.forecast:
        yield _ends(meter)
    if meter.forecast:
        name = _("Forecast at %(day)s") % {"day": meter.last_day}
        yield Tile(name, meter.number(meter.expected), _beyond(meter) or _band(meter))
    else:
        yield _ends(meter)


def _ends(meter: Meter) -> Tile:
    """When it runs out, else when it starts anew."""
    if meter.runs_out:
        clock = _("about %(time)s UTC") % {"time": f"{meter.runs_out:%H:00}"}
        name = _("Runs out") if meter.limit.stop is not None else _("Included until")
        return Tile(name, dates.weekday(meter.runs_out.date()), clock)
    if meter.is_level:
        return Tile(_("Resets"), _("Never"), _("carried over to the next period"))
    return Tile(_("Resets"), meter.reset_day, _("in %(time)s, 00:00 UTC") % {"time": meter.reset_in})


def _beyond(meter: Meter) -> str:
    """What of the forecast would be refused or billed; empty where all of it fits."""
    beyond = meter.expected - (meter.size or meter.expected)
    if beyond <= 0:
        return ""
    if meter.limit.stop is not None:
        text = _("%(units)s would be refused")
    else:
        text = _("%(units)s would be billed") if meter.is_priced else _("%(units)s over, not charged")
    return text % {"units": meter.number(beyond)}


def _band(meter: Meter) -> str:
    if meter.forecast is None or meter.forecast.end.low == meter.forecast.end.high:
        return _("as now")
    low, high = max(meter.forecast.end.low, 0), meter.forecast.end.high
    return _("between %(low)s and %(high)s") % {"low": meter.number(low), "high": meter.number(high)}


def _left_note(meter: Meter) -> str:
    if meter.is_over or not meter.size:
        return meter.figure_is
    share = percent(meter.headroom or 0, meter.size)
    return _("%(share)s %% of the limit") % {"share": share}


def blocked(causes: Mapping[str, int]) -> str:
    """By what requests were refused."""
    words = {"limit": _("by the limit"), "cap": _("by the spend cap"), "burst": _("by the burst limit")}
    found = [(words.get(cause, cause), refused) for cause, refused in sorted(causes.items()) if refused]
    if not found:
        return _("no request was refused")
    if len(found) == 1:
        return _("all %(cause)s") % {"cause": found[0][0]}
    return " · ".join(f"{refused:,} {word}" for word, refused in found)


def _at_risk(meters: Sequence[Meter]) -> Tile:
    risky = [meter.metric.name for meter in meters if not meter.is_ok]
    counted = _("%(risky)d of %(all)d") % {"risky": len(risky), "all": len(meters)}
    return Tile(_("Near or past a limit"), counted, ", ".join(risky) or _("every metric has room"))


def _overage(meters: Sequence[Meter], plan: Plan) -> str:
    """What each metric adds."""
    parts = [f"{meter.metric.name} {in_words(meter.amount)}" for meter in meters if meter.amount]
    if parts:
        return " + ".join(parts)
    if any(meter.is_priced for meter in meters):
        return _("nothing beyond what %(plan)s includes") % {"plan": plan.name}
    return _("%(plan)s bills nothing beyond its fee") % {"plan": plan.name}
