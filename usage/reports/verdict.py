"""One sentence that answers how close a tenant is, until when, and what happens then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from billing.models import Plan
from billing.periods import Period
from usage import units
from usage.reports import dates
from usage.reports.charts import Strip, strip
from usage.reports.facts import State
from usage.reports.meters import Look, Meter
from usage.reports.verdict_words import reason, title


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst metric's state, the sentence, its reason, and the period as a strip of days."""

    look: Look
    title: str
    reason: str
    worst: Meter | None
    strip: Strip
    caption: str
    strong: str  # the part of the caption that stands out
    rest: str  # what follows it
    out: str  # what the strip says where headroom ends
    day: int
    first: str
    last: str


def verdict(meters: Sequence[Meter], plan: Plan, period: Period, at: datetime) -> Verdict:
    """The verdict over `meters`, the riskiest first."""
    worst = meters[0] if meters else None
    day = min(period.days, int(period.elapsed(at) * period.days) + 1)
    caption = _caption(worst, period, at)
    return Verdict(
        look=worst.look if worst else Look(State.OK.value, str(State.OK.label)),
        title=title(worst, plan, period) if worst else _("This plan has no limits."),
        reason=reason(meters, period),
        worst=worst,
        strip=strip(period.days, period.elapsed(at), gone=_gone(worst, period, at)),
        caption=caption.text,
        strong=caption.strong,
        rest=caption.rest,
        out=_("Runs out %(day)s") % {"day": _runs_out(worst)} if worst and worst.runs_out else "",
        day=day,
        first=dates.short(period.first),
        last=_end(period),
    )


class _Caption(NamedTuple):
    """What is said above the strip."""

    text: str
    strong: str
    rest: str = ""


def _caption(worst: Meter | None, period: Period, at: datetime) -> _Caption:
    if worst and worst.is_full and not worst.is_level:
        return _Caption(_("No headroom for another"), dates.countdown(period.ends - at))
    if worst and worst.runs_out and worst.limit.stop is not None:
        facts = {
            "days": int(period.elapsed(worst.runs_out) * period.days),
            "all": period.days,
            "time": dates.countdown(period.ends - worst.runs_out),
        }
        text = _("%s last") if units.is_plural(worst.metric) else _("%s lasts")
        return _Caption(
            text % worst.metric.name,
            _("%(days)d of %(all)d days") % facts,
            _("; %(time)s have no headroom") % facts,
        )
    return _Caption(_("Counts start anew in"), dates.countdown(period.ends - at))


def _gone(worst: Meter | None, period: Period, at: datetime) -> float | None:
    """From which share of the period on there is no headroom."""
    if worst is None:
        return None
    if worst.is_full:
        return None if worst.is_level else period.elapsed(at)
    if worst.limit.stop is None:
        return None
    return period.elapsed(worst.runs_out) if worst.runs_out else None


def _runs_out(worst: Meter) -> str:
    assert worst.runs_out is not None
    return dates.short(worst.runs_out.date())


def _end(period: Period) -> str:
    """Its last day; with the month where that is another one."""
    last = period.last_day
    return str(last.day) if last.month == period.first.month else dates.short(last)
