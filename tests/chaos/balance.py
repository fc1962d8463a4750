"""Weighs what callers were answered against what PostgreSQL has kept: lost, doubled, over the limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.chaos.ledger import Ledger
from tests.chaos.load import NOT_SENT, Call
from tests.chaos.parties import Party

METRICS = ("api_calls", "storage", "users")
BOOKS = {**{code: code for code in METRICS}, "api_calls by hours": "api_calls", "users by name": "users"}
KNOWN = {NOT_SENT, 0, 200, 201, 429}
MARGIN = 0.05  # seconds: Redis' clock is read in the middle of a call
THRESHOLDS = [f"threshold {percent}" for percent in (80, 90, 95, 100)]


class Span(NamedTuple):
    """From one moment to another, seconds since 1970."""

    begins: float
    ends: float

    def has(self, call: Call) -> bool:
        """Whether the call was under way in it."""
        return call.answered >= self.begins and call.sent <= self.ends


@dataclass(frozen=True, slots=True)
class Leave:
    """What the design lets a fault do: lose what was answered in `lost`, pass the limit by what was in `over`.

    `month_ends`: when a month ended by Redis' clock; `statuses`: answers beside those of every day.
    """

    lost: Sequence[Span] = ()
    over: Sequence[Span] = ()
    statuses: frozenset[int] = frozenset()
    month_ends: float | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """Units; `breaches` are sentences about what no fault may do."""

    calls: int
    lost: int = 0
    doubled: int = 0
    over: int = 0
    breaches: Sequence[str] = field(default_factory=list)


def weigh(ledger: Ledger, parties: Sequence[Party], calls: Sequence[Call], leave: Leave) -> Balance:
    """All of a round's tenants together."""
    breaches = [
        f"answered {status}" for status in sorted({call.status for call in calls} - KNOWN - leave.statuses)
    ]
    lost = doubled = over = 0
    for party in parties:
        theirs = [call for call in calls if call.party.id == party.id]
        for book, metric in BOOKS.items():
            missing, extra, said = _book(
                ledger, party, book, [one for one in theirs if one.metric == metric], leave
            )
            breaches += said
            if book in METRICS:
                lost, doubled = lost + missing, doubled + extra
        passed, said = _passed(ledger, party, theirs, leave)
        over += passed
        breaches += [*said, *_alerts(ledger, party, leave), *_months(ledger, party, theirs, leave)]
    return Balance(len(calls), lost, doubled, over, breaches)


def _book(
    ledger: Ledger, party: Party, book: str, calls: Sequence[Call], leave: Leave
) -> tuple[int, int, list[str]]:
    """How much is missing in a book, how much too much is in it, and what of that may not be."""
    units, sure, most = sum(ledger.of(party, book).values()), _sure(calls), _most(calls)
    missing, extra, said = max(0, sure - units), max(0, units - most), []
    may_miss = _sure([call for call in calls if any(span.has(call) for span in leave.lost)])
    if missing > may_miss:
        said.append(f"{party.slug}: {book}: {missing} of {sure} lost, at most {may_miss} may be")
    if extra:
        said.append(f"{party.slug}: {book}: {units} kept, at most {most} were called for")
    return missing, extra, said


def _sure(calls: Sequence[Call]) -> int:
    """Units that were admitted for certain."""
    return _units([call for call in calls if call.is_admitted])


def _most(calls: Sequence[Call]) -> int:
    """The same, and those of which nobody knows."""
    return _units([call for call in calls if call.is_admitted or call.is_unknown])


def _units(calls: Sequence[Call]) -> int:
    """A member counts once."""
    members = {call.member for call in calls if call.member}
    return len(members) if members else sum(call.amount for call in calls)


def _passed(ledger: Ledger, party: Party, calls: Sequence[Call], leave: Leave) -> tuple[int, list[str]]:
    """How far a tenant's API calls passed its limit, in each period, and what of that may not be."""
    if party.limit is None:
        return 0, []
    these = [call for call in calls if call.metric == "api_calls"]
    kept = ledger.of(party, "api_calls").values()
    passed = sum(max(0, units - party.limit) for units in kept)
    if leave.month_ends is None:
        passed = max(passed, _sure(these) - party.limit)
    may_pass = _most([call for call in these if any(span.has(call) for span in (*leave.lost, *leave.over))])
    said = [f"{party.slug}: {passed} over its limit, at most {may_pass} may be"] if passed > may_pass else []
    return passed, said


def _alerts(ledger: Ledger, party: Party, leave: Leave) -> Iterator[str]:
    """Each crossing of a full period has one alert, and nothing has two.

    What is crossed as a period ends is told only if it is flushed before that.
    """
    periods = list(ledger.of(party, "api_calls").items())
    for period, units in periods if leave.month_ends is None else periods[-1:]:
        if period and party.limit is not None and units >= party.limit:
            for kind in THRESHOLDS:
                if not ledger.alerts.get((party.id, kind, period)):
                    yield f"{party.slug}: no alert at {kind} in {period}"
    for (tenant, kind, period), rows in ledger.alerts.items():
        if tenant == party.id and rows > 1:
            yield f"{party.slug}: {rows} alerts at {kind} in {period}"


def _months(ledger: Ledger, party: Party, calls: Sequence[Call], leave: Leave) -> Iterator[str]:
    """Each unit is in the month that Redis' clock had: those under way as it ended, in either."""
    if leave.month_ends is None:
        return
    these = [call for call in calls if call.metric == "api_calls" and call.is_admitted]
    sides = (
        [call for call in these if call.answered < leave.month_ends - MARGIN],
        [call for call in these if call.sent > leave.month_ends + MARGIN],
    )
    for book in ("api_calls", "api_calls by hours"):
        for units, side in zip(_both(ledger, party, book), sides, strict=True):
            if units < len(side):
                yield f"{party.slug}: {book}: {units} in a month that {len(side)} calls belong to"


def _both(ledger: Ledger, party: Party, book: str) -> tuple[int, int]:
    """Units of the earlier and the later of two months."""
    found = list(ledger.of(party, book).values())
    return (found[0], found[1]) if len(found) == 2 else (0, 0)
