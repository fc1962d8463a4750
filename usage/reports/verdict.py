"""One sentence that answers how close a tenant is, until when, and what happens then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from billing.models import Plan
from billing.periods import Period
from usage.reports import dates
from usage.reports.charts import Strip, strip
from usage.reports.facts import State
from usage.reports.meters import Look, Meter


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
    day: int
    first: str
    last: str


def verdict(meters: Sequence[Meter], plan: Plan, period: Period, at: datetime) -> Verdict:
    """The verdict over `meters`, the riskiest first."""
    worst = meters[0] if meters else None
    is_gone = bool(worst and worst.is_full and not worst.is_level)
    day = min(period.days, int(period.elapsed(at) * period.days) + 1)
    left = dates.countdown(period.ends - at)
    return Verdict(
        look=worst.look if worst else Look(State.OK.value, str(State.OK.label)),
        title=_title(worst, plan, period) if worst else _("This plan has no limits."),
        reason=_reason(meters, period),
        worst=worst,
        strip=strip(period.days, period.elapsed(at), is_gone=is_gone),
        caption=_("No headroom for another") if is_gone else _("Counts start anew in"),
        strong=left,
        day=day,
        first=dates.short(period.first),
        last=_end(period),
    )


def _end(period: Period) -> str:
    """Its last day; with the month where that is another one."""
    last = period.last_day
    return str(last.day) if last.month == period.first.month else dates.short(last)


def _title(worst: Meter, plan: Plan, period: Period) -> str:
    facts = {
        "noun": worst.metric.noun,
        "left": _amount(worst),
        "day": dates.short(period.until),
        "plan": plan.name,
    }
    if worst.is_full:
        text = _("No %(noun)s left.") if worst.is_level else _("No %(noun)s left until %(day)s.")
    elif worst.is_over:
        more = _("more is billed.") if worst.is_priced else _("more is not charged.")
        return _("Past the %(noun)s that %(plan)s includes; ") % facts + more
    elif worst.is_near:
        text = _("Only %(left)s left.") if worst.is_level else _("Only %(left)s left until %(day)s.")
    elif worst.used:
        text = _("There is room in every metric.")
    else:
        text = _("All headroom is left.")
    return text % facts


def _amount(meter: Meter) -> str:
    """“183 calls”, “3.6 GB of storage”."""
    number = meter.number(meter.headroom or 0)
    if meter.is_bytes:
        return _("%(number)s of %(noun)s") % {"number": number, "noun": meter.metric.noun}
    return f"{number} {meter.metric.noun}"


def _reason(meters: Sequence[Meter], period: Period) -> str:
    """What happens at the worst metric's limit, then how the others stand."""
    if not meters:
        return ""
    worst, others = meters[0], meters[1:]
    if worst.is_ok:
        anew = _("Nothing is near its limit; counts start anew on %(day)s, 00:00 UTC.")
        return anew % {"day": dates.short(period.until)}
    sentences = [_at_limit(worst, period)]
    groups = (
        (_("At the limit: %s."), [one for one in others if one.is_full]),
        (_("Approaching a limit: %s."), [one for one in others if one.is_near]),
        (_("Past the included amount: %s."), [one for one in others if one.is_over]),
        (_("Enough room: %s."), [one for one in others if one.is_ok]),
    )
    for text, group in groups:
        if group:
            sentences.append(text % get_text_list([one.metric.name for one in group], _("and")))
    return " ".join(sentence for sentence in sentences if sentence)


def _at_limit(meter: Meter, period: Period) -> str:
    """What the worst metric's limit does to requests."""
    reset = _("%(day)s, 00:00 UTC") % {"day": dates.short(period.until)}
    facts = {"noun": meter.metric.noun, "reset": reset}
    if meter.is_full and meter.is_level:
        return (
            _("Requests that need more %(noun)s get status 429 until some is freed or the plan grows.")
            % facts
        )
    if meter.is_full:
        return _("Requests that need more %(noun)s get status 429 until %(reset)s.") % facts
    if meter.is_over or meter.limit.stop is None:
        return _("Nothing is refused: use goes on past the included amount.")
    return _("From the limit on, requests that need more %(noun)s get status 429.") % facts
