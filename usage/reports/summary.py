"""The row of figures under the verdict: spend, overage, time left, refusals."""

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
from usage.reports.money import money, prices


class Tile(NamedTuple):
    """A figure, what it is, and its context."""

    name: str
    figure: str
    note: str


def tiles(
    meters: Sequence[Meter],
    bill: Bill | None,
    causes: Mapping[str, int],
    plan: Plan,
    period: Period,
    at: datetime,
) -> Iterator[Tile]:
    """Four figures; who sees no money (`bill` is None) reads how many metrics are at risk instead."""
    if bill is None:
        yield _at_risk(meters)
    else:
        parts = {"base": money(bill.base_fee), "overage": money(bill.overage)}
        yield Tile(_("Spend to date"), money(bill.total), _("%(base)s plan + %(overage)s usage") % parts)
        yield Tile(_("Estimated overage"), money(bill.overage), _overage(meters, plan))
    ends = _("%(day)s, 00:00 UTC") % {"day": dates.short(period.until)}
    yield Tile(_("Period ends in"), dates.countdown(period.ends - at), ends)
    yield Tile(_("Blocked, last 24 h"), f"{sum(causes.values()):,}", blocked(causes))


def meter_tiles(meter: Meter, plan: Plan) -> Iterator[Tile]:
    """The figures of one metric: left, used, what it costs, when it starts anew."""
    yield Tile(_("Over") if meter.is_over else _("Left"), meter.figure, _left_note(meter))
    included = _("%(included)s included in %(plan)s") % {"included": meter.included_text, "plan": plan.name}
    yield Tile(_("Used"), meter.used_text, _("no limit") if meter.size is None else included)
    if meter.is_priced and meter.amount is not None:
        yield Tile(_("Estimated overage"), money(meter.amount), prices(meter.metric, meter.price))
    if meter.is_level:
        yield Tile(_("Resets"), _("Never"), _("carried over to the next period"))
    else:
        yield Tile(_("Resets"), meter.reset_day, _("in %(time)s, 00:00 UTC") % {"time": meter.reset_in})


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
    parts = [f"{meter.metric.name} {money(meter.amount)}" for meter in meters if meter.amount]
    if parts:
        return " + ".join(parts)
    if any(meter.is_priced for meter in meters):
        return _("nothing beyond what %(plan)s includes") % {"plan": plan.name}
    return _("%(plan)s bills nothing beyond its fee") % {"plan": plan.name}
