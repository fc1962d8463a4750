"""Whether what a tenant uses, and what it is forecast to use, fits a plan, in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from usage import units
from usage.reports import dates
from usage.reports.facts import State
from usage.reports.meters import Look, Meter

AMPLE = 10  # percent: so little of a plan is used that a smaller one would do


@dataclass(frozen=True, slots=True)
class Fit:
    """How present use stands to a plan: `look` has the words, `note` the numbers behind them."""

    state: State
    look: Look
    note: str

    @property
    def is_fitting(self) -> bool:
        """Whether nothing would be refused or come near it."""
        return self.state == State.OK


def fit_of(now: Sequence[Meter], there: Sequence[Meter], *, is_current: bool) -> Fit:
    """How the use in `there` (the meters on a plan, riskiest first) fits; `now` are those of the present plan."""
    worst = there[0] if there else None
    if worst is None or worst.is_ok:
        return Fit(State.OK, Look(State.OK.value, _("Fits")), _ample(now, there, is_current))
    if worst.is_full:
        return Fit(
            State.FULL, Look(State.FULL.value, _stopped(worst, is_current)), _full_note(worst, is_current)
        )
    if worst.is_over and worst.capped_on:
        return Fit(
            State.NEAR,
            Look(State.NEAR.value, _stops_on(worst, worst.capped_on)),
            _("where the spend cap is reached"),
        )
    if worst.is_over:
        word = _("%(metric)s billed over") if worst.is_priced else _("%(metric)s over, not charged")
        return Fit(
            State.OVER, Look(State.OVER.value, word % {"metric": worst.metric.name}), _over_note(worst)
        )
    return Fit(State.NEAR, Look(State.NEAR.value, _near(worst)), worst.used_of)


def _near(meter: Meter) -> str:
    """“API calls stop on 27 Nov”, “Bandwidth billed from 27 Nov”, “Storage nearly used up”."""
    if meter.runs_out is None:
        return _("%(metric)s nearly used up") % {"metric": meter.metric.name}
    if meter.limit.stop is None:
        facts = {"metric": meter.metric.name, "day": dates.short(meter.runs_out.date())}
        billed, free = _("%(metric)s billed from %(day)s"), _("%(metric)s over from %(day)s, not charged")
        return (billed if meter.is_priced else free) % facts
    return _stops_on(meter, meter.runs_out)


def _stops_on(meter: Meter, at: datetime) -> str:
    """“API calls stop on 27 Nov”."""
    facts = {"metric": meter.metric.name, "day": dates.short(at.date())}
    many, one = _("%(metric)s stop on %(day)s"), _("%(metric)s stops on %(day)s")
    return (many if units.is_plural(meter.metric) else one) % facts


def _stopped(meter: Meter, is_current: bool) -> str:
    if is_current:
        return _("%(metric)s stopped") % {"metric": meter.metric.name}
    return _("%(metric)s would not fit") % {"metric": meter.metric.name}


def _full_note(meter: Meter, is_current: bool) -> str:
    numbers = {"used": meter.used_text, "size": meter.size_text}
    if meter.is_capped:
        return _("by the spend cap")
    if is_current:
        return _("%(used)s of %(size)s are used") % numbers
    if meter.is_level:
        return _("%(used)s is kept, %(size)s is included") % numbers
    return _("%(used)s used, %(size)s included") % numbers


def _over_note(meter: Meter) -> str:
    return _("%(excess)s over the included %(included)s") % {
        "excess": meter.number(meter.excess),
        "included": meter.included_text,
    }


def _ample(now: Sequence[Meter], there: Sequence[Meter], is_current: bool) -> str:
    """Why it fits: what is refused today would go on, or how much there is."""
    freed = [meter.metric for meter in now if meter.is_full]
    if freed and not is_current:
        verb = _("go on at once") if units.is_plural(freed[0]) else _("goes on at once")
        return f"{freed[0].name} {verb}"
    if all((meter.percent or 0) <= AMPLE for meter in there):
        return _("far more than is used")
    return _("with what is used now")
