"""Which lines one metric of a tenant has crossed since it was last judged: a pure function, all in integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import NamedTuple

from billing.entitlements import Limit
from billing.models import Allowance
from usage.models import Alert

STOP, BILL = Allowance.Beyond.STOP, Allowance.Beyond.BILL
THRESHOLD, REFUSED, BILLED = Alert.Kind.THRESHOLD, Alert.Kind.REFUSED, Alert.Kind.BILLED


class Judged(NamedTuple):
    """What a metric was last judged against, the refusals of the period when that came, and the use then."""

    limit: int | None
    included: int | None
    refused: int
    used: int


class Line(NamedTuple):
    """What a period's alerts of one metric are unique on."""

    kind: str
    percent: int
    limit: int | None


class Told(NamedTuple):
    """What became of an alert: whether it was sent, and what it said happens at its limit."""

    is_sent: bool
    beyond: str


@dataclass(frozen=True, slots=True)
class Case:
    """One metric of a tenant as it stands now, and as it was last judged in this period (none = never)."""

    limit: Limit
    used: int
    refused: int
    percents: Sequence[int]
    judged: Judged | None
    cap_stop: int | None = None

    @property
    def beyond(self) -> str:
        """What happens at the limit: a hard limit stops even billed use, as does a spend cap without money left."""
        if self.limit.stop is not None:
            return STOP
        is_spent = self.cap_stop is not None and self.cap_stop <= (self.limit.included or 0)
        return STOP if is_spent else self.limit.allowance.beyond

    @property
    def refused_by(self) -> str:
        """What happens at the limit that refusals are about; where nothing else stops a spend cap does, and they say
        that use is billed.
        """
        return STOP if self.limit.stop is not None or self.cap_stop is None else BILL

    @property
    def is_raised(self) -> bool:
        return self.judged is not None and _is_more(self.limit.size, self.judged.limit)

    @property
    def is_included_raised(self) -> bool:
        return self.judged is not None and _is_more(self.limit.included, self.judged.included)

    @property
    def used_before(self) -> int:
        return self.judged.used if self.judged else 0

    @property
    def refused_before(self) -> int:
        """Refusals that were not about these limits; those found together with a change are taken for older."""
        if self.judged is None:
            return 0
        return self.judged.refused if self.judged.limit == self.limit.size else self.refused

    @property
    def judged_now(self) -> Judged:
        """What to remember of this judging."""
        return Judged(self.limit.size, self.limit.included, self.refused_before, self.used)

    @property
    def is_worth_keeping(self) -> bool:
        """Whether `judged_now` may ever decide otherwise than what is kept.

        Below every line the use moves each second and only that it was below matters.
        """
        if self.judged is None or self.judged_now != self.judged._replace(used=self.used):
            return True
        first = first_line(self.limit.size, self.limit.included, tuple(self.percents))
        return self.judged.used != self.used and max(self.judged.used, self.used) >= first


def is_quiet(limit: Limit, used: int, refused: int, percents: Sequence[int], judged: Judged) -> bool:
    """Whether nothing can come of judging this, at a glance: the same limits as before, no refusal since, and below
    every line now as then.
    """
    return (
        refused <= judged.refused
        and (used if used > judged.used else judged.used)
        < first_line(limit.size, limit.included, tuple(percents))
        and judged.limit == limit.size
        and judged.included == limit.included
    )


@lru_cache(maxsize=1_000)
def first_line(size: int | None, included: int | None, percents: tuple[int, ...]) -> float:
    """The least use that is past a threshold or the included amount; infinite where there is neither."""
    lines = [inf] if included is None else [included + 1]
    if size is not None and percents:
        lines.append(-(-min(percents) * size // 100))  # rounded up
    return min(lines)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A line that was crossed; `is_urgent` concerns operations too."""

    line: Line
    beyond: str
    is_sent: bool
    is_urgent: bool = False

    @property
    def is_by_cap(self) -> bool:
        """Whether it is a refusal where a spend cap stops what is billed."""
        return self.line.kind == REFUSED and self.beyond == BILL


def crossings(case: Case, told: Mapping[Line, Told]) -> list[Crossing]:
    """Lines crossed and not yet in `told`; of one step's thresholds only the highest is to be sent."""
    thresholds = list(_thresholds(case, told))
    sent = [Told(True, one.beyond) for one in thresholds if one.is_sent and one.line.percent >= 100]
    sent += [
        past
        for line, past in told.items()
        if past.is_sent and line.kind == THRESHOLD and line.percent >= 100 and line.limit == case.limit.size
    ]
    return [*thresholds, *_billing(case, told, sent), *_refusal(case, told, sent)]


def _thresholds(case: Case, told: Mapping[Line, Told]) -> Iterator[Crossing]:
    size = case.limit.size
    if not size:  # unlimited; or a limit of nothing, full from the start: only a refusal is news
        return
    lines = [Line(THRESHOLD, percent, size) for percent in case.percents]
    passed = [line for line in lines if case.used * 100 >= line.percent * size]
    highest = max((line.percent for line in told if line[::2] == (THRESHOLD, size)), default=0)
    news = [
        line.percent
        for line in passed
        if line.percent > highest and not (case.is_raised and case.used_before * 100 >= line.percent * size)
    ]
    for line in passed:
        if line not in told:
            is_sent = bool(news) and line.percent == max(news)
            # Operations hear of a full tenant also where a higher threshold was crossed in the same step.
            yield Crossing(line, case.beyond, is_sent, is_urgent=is_sent and 100 in news)


def _billing(case: Case, told: Mapping[Line, Told], full: Sequence[Told]) -> Iterator[Crossing]:
    included = case.limit.included
    line = Line(BILLED, 0, included)
    if case.limit.allowance.beyond != BILL or included is None or case.used <= included or line in told:
        return
    was_known = case.is_included_raised and case.used_before > included
    # Where the included amount is the limit, its 100 % mail said that billing begins.
    was_said = included == case.limit.size and any(past.beyond == BILL for past in full)
    yield Crossing(line, BILL, is_sent=not was_known and not was_said)


def _refusal(case: Case, told: Mapping[Line, Told], full: Sequence[Told]) -> Iterator[Crossing]:
    line = Line(REFUSED, 0, case.limit.size)
    if case.refused > case.refused_before and line not in told:
        is_sent = not any(past.beyond == STOP for past in full)  # a mail that said "stops" said it all
        yield Crossing(line, case.refused_by, is_sent, is_urgent=is_sent)


def _is_more(new: int | None, old: int | None) -> bool:
    """Whether a limit was raised; none is no limit at all."""
    return old is not None and (new is None or new > old)
