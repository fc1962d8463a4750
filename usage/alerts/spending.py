"""Which lines below and at its spend caps a tenant has crossed since it was last judged: a pure function, in cents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.caps import Caps
from billing.models import Allowance
from usage.alerts.crossings import Crossing, Line, Told
from usage.models import Alert

CAP = Alert.Kind.CAP
STOP, NOTIFY = Allowance.Beyond.STOP, Allowance.Beyond.NOTIFY
NEAR, FULL = 80, 100  # percent of a cap


@dataclass(frozen=True, slots=True)
class Spending:
    """What a tenant's use beyond its plan costs so far, `before` when it was last judged in this period.

    `is_stopped`: what is left below the cap that stops does not pay for the next unit of something.
    """

    caps: Caps
    spent: Decimal
    before: Decimal
    is_stopped: bool = False

    @property
    def used(self) -> int:
        return cents(self.spent)


def cents(amount: Decimal) -> int:
    """Whole cents; an alert keeps a cap and what was spent as these."""
    return int(amount.scaleb(2))


def spend_crossings(one: Spending, told: Mapping[Line, Told]) -> list[Crossing]:
    """Lines crossed and not yet in `told`; of one cap only the highest of a step is to be sent."""
    return [crossing for amount in one.caps.amounts for crossing in _of(amount, one, told)]


def is_halt(crossing: Crossing) -> bool:
    """Whether it tells that billed use is refused from now on."""
    return crossing.is_sent and crossing.beyond == STOP and crossing.line[:2] == (CAP, FULL)


def was_halted(told: Mapping[Line, Told]) -> bool:
    """The same of what was told before."""
    return any(
        past.is_sent and past.beyond == STOP and line[:2] == (CAP, FULL) for line, past in told.items()
    )


def _of(amount: Decimal, one: Spending, told: Mapping[Line, Told]) -> Iterator[Crossing]:
    size, beyond = cents(amount), STOP if amount == one.caps.stop else NOTIFY
    passed = [percent for percent in (NEAR, FULL) if _is_passed(percent, amount, one)]
    highest = max((line.percent for line in told if line[::2] == (CAP, size)), default=0)
    for percent in passed:
        line = Line(CAP, percent, size)
        if line not in told:
            is_halt = beyond == STOP and percent == FULL  # told in any case
            is_news = is_halt or not _was_known(line, one, told)
            is_sent = is_news and percent == passed[-1] and percent > highest
            yield Crossing(line, beyond, is_sent, is_urgent=is_sent and percent == FULL)


def _is_passed(percent: int, amount: Decimal, one: Spending) -> bool:
    if amount == one.caps.stop and one.is_stopped:
        return True
    if not amount:  # nothing to come near to
        return percent == FULL and one.spent > 0
    return one.spent * 100 >= percent * amount


def _was_known(line: Line, one: Spending, told: Mapping[Line, Told]) -> bool:
    """Whether the cap was raised past what was spent already: who was told of the lower one need not hear it again."""
    lower = any(past.kind == CAP and (past.limit or 0) < (line.limit or 0) for past in told)
    return lower and cents(one.before) * 100 >= line.percent * (line.limit or 0)
