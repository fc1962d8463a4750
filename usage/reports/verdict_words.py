"""The sentence of the verdict, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from billing.models import Plan
from billing.periods import Period
from usage import units
from usage.reports import dates
from usage.reports.meters import Meter


def title(worst: Meter, plan: Plan, period: Period) -> str:
    """How the worst metric stands, in a sentence."""
    facts = {
        "noun": worst.metric.noun,
        "left": _amount(worst),
        "day": dates.short(period.until),
        "plan": plan.name,
    }
    if worst.is_capped:
        text = _("The spend cap stops %(noun)s beyond what %(plan)s includes until %(day)s.")
    elif worst.is_full:
        text = _("No %(noun)s left.") if worst.is_level else _("No %(noun)s left until %(day)s.")
    elif worst.is_over:
        more = _("more is billed.") if worst.is_priced else _("more is not charged.")
        return _("Past the %(noun)s that %(plan)s includes; ") % facts + more
    elif worst.runs_out:
        text = _ending(worst) % {"out": dates.weekday(worst.runs_out.date()), "name": worst.name, **facts}
    elif worst.is_near:
        text = _("Only %(left)s left.") if worst.is_level else _("Only %(left)s left until %(day)s.")
    elif worst.used:
        text = _("There is room in every metric.")
    else:
        text = _("All headroom is left.")
    return text % facts


def _ending(worst: Meter) -> str:
    """How headroom ends, said so that a name that is one takes “runs”."""
    if worst.limit.stop is not None:
        is_one = _("At this pace, %(name)s runs out on %(out)s.")
        are_many = _("At this pace, %(name)s run out on %(out)s.")
    else:
        is_one = _("At this pace, %(name)s passes what %(plan)s includes on %(out)s.")
        are_many = _("At this pace, %(name)s pass what %(plan)s includes on %(out)s.")
    return are_many if units.is_plural(worst.metric) else is_one


def _amount(meter: Meter) -> str:
    """“183 calls”, “3.6 GB of storage”."""
    number = meter.number(meter.headroom or 0)
    if meter.is_bytes:
        return _("%(number)s of %(noun)s") % {"number": number, "noun": meter.metric.noun}
    return f"{number} {meter.metric.noun}"


def reason(meters: Sequence[Meter], period: Period) -> str:
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


def _at_cap(meter: Meter) -> str:
    """What a spend cap does, or will do."""
    if meter.is_capped:
        return _(
            "Requests that would be billed get status 429 until %(reset)s; included amounts keep working."
        )
    if meter.capped_on is None:
        return _("What goes beyond the included amount is billed, up to the spend cap.")
    day = dates.weekday(meter.capped_on.date())
    return _("At this pace the spend cap stops %%(noun)s beyond what is included on %(day)s.") % {"day": day}


def _at_limit(meter: Meter, period: Period) -> str:
    """What the worst metric's limit does to requests."""
    reset = _("%(day)s, 00:00 UTC") % {"day": dates.short(period.until)}
    facts = {"noun": meter.metric.noun, "reset": reset}
    if meter.is_capped or (meter.limit.stop is None and meter.cap_stop is not None):
        return _at_cap(meter) % facts
    if meter.is_full and meter.is_level:
        return (
            _("Requests that need more %(noun)s get status 429 until some is freed or the plan grows.")
            % facts
        )
    if meter.is_full:
        return _("Requests that need more %(noun)s get status 429 until %(reset)s.") % facts
    if meter.limit.stop is None and meter.runs_out:
        is_billed = _("From then on more is billed; nothing is refused.")
        return is_billed if meter.is_priced else _("Nothing is refused and nothing charged past it.")
    if meter.is_over or meter.limit.stop is None:
        return _("Nothing is refused: use goes on past the included amount.")
    if meter.runs_out and meter.is_level:
        return _("From then on, requests that need more %(noun)s are refused with status 429.") % facts
    if meter.runs_out:
        return _("From then until %(reset)s, %(noun)s are refused with status 429.") % facts
    return _("From the limit on, requests that need more %(noun)s get status 429.") % facts
