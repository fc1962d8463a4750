"""Compares what callers were answered with what PostgreSQL kept: lost, doubled, over the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg

from tests.chaos.load import Call
from tests.chaos.parties import Party

TOTALS = """
SELECT tenant_id, code, sum(used) FROM usage_usageperiod JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) AND kind <> 'level' GROUP BY 1, 2
UNION ALL
SELECT tenant_id, code, sum(added - removed) FROM usage_usagelevel JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) GROUP BY 1, 2
UNION ALL
SELECT tenant_id, code || ' by hours', sum(quantity) FROM usage_usagehour JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) AND code = 'api_calls' GROUP BY 1, 2
UNION ALL
SELECT tenant_id, code || ' by name', count(DISTINCT member) FROM usage_usagemember
JOIN billing_metric m ON m.id = metric_id WHERE tenant_id = ANY (%(ids)s) GROUP BY 1, 2
"""
METRICS = {"api_calls": "api_calls", "storage": "storage", "users": "users"}
BOOKS = {**METRICS, "api_calls by hours": "api_calls", "users by name": "users"}

Kept = Mapping[tuple[int, str], int]


class Span(NamedTuple):
    """From one moment to another, seconds since 1970."""

    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Leave:
    """What the design lets a fault do: lose what was answered in `lost`, pass the limit by what was in `over`."""

    lost: Sequence[Span] = ()
    over: Sequence[Span] = ()
    statuses: frozenset[int] = frozenset()  # answers beside 200, 201 and 429, and no answer


@dataclass(frozen=True, slots=True)
class Balance:
    """Units; `breaches` are sentences about what no fault may do."""

    calls: int
    lost: int = 0
    doubled: int = 0
    over: int = 0
    breaches: Sequence[str] = field(default_factory=list)


def kept(books: psycopg.Connection[Any], parties: Sequence[Party]) -> Kept:
    """Units in PostgreSQL by tenant and book."""
    rows = books.execute(TOTALS, {"ids": [party.id for party in parties]}).fetchall()
    return {(row[0], row[1]): int(row[2]) for row in rows}


def compare(found: Kept, parties: Sequence[Party], calls: Sequence[Call], leave: Leave) -> Balance:
    """Weigh the record against PostgreSQL."""
    lost = doubled = over = 0
    breaches = _strange(calls, leave)
    for party in parties:
        theirs = [call for call in calls if call.party.id == party.id]
        for book, metric in BOOKS.items():
            these = [call for call in theirs if call.metric == metric]
            units, sure = found.get((party.id, book), 0), _units(these, admitted=True)
            most = _units(these, admitted=False)
            missing, extra = max(0, sure - units), max(0, units - most)
            may_miss = _units([call for call in these if _is_in(call, leave.lost)], admitted=True)
            if missing > may_miss:
                breaches.append(f"{party.slug}: {book}: {missing} of {sure} lost, at most {may_miss} may be")
            if extra:
                breaches.append(f"{party.slug}: {book}: {units} kept, {most} at most were called for")
            if book in METRICS:
                lost, doubled = lost + missing, doubled + extra
        passed, may_pass = _passed(found, party, theirs, leave)
        over += passed
        if passed > may_pass:
            breaches.append(f"{party.slug}: {passed} over its limit, at most {may_pass} may be")
    return Balance(len(calls), lost, doubled, over, breaches)


def _units(calls: Sequence[Call], *, admitted: bool) -> int:
    """Of calls that were admitted for certain, or with those of which nobody knows; a member counts once."""
    those = [call for call in calls if call.is_admitted or (call.is_unknown and not admitted)]
    members = {call.member for call in those if call.member}
    return len(members) if members else sum(call.amount for call in those)


def _is_in(call: Call, spans: Sequence[Span]) -> bool:
    return any(call.answered >= span.begins and call.sent <= span.ends for span in spans)


def _passed(found: Kept, party: Party, calls: Sequence[Call], leave: Leave) -> tuple[int, int]:
    """How far the tenant's API calls passed its limit, and how far they may have."""
    if party.limit is None:
        return 0, 0
    these = [call for call in calls if call.metric == "api_calls"]
    used = max(found.get((party.id, "api_calls"), 0), _units(these, admitted=True))
    free = [call for call in these if _is_in(call, [*leave.lost, *leave.over])]
    return max(0, used - party.limit), _units(free, admitted=False)


def _strange(calls: Sequence[Call], leave: Leave) -> list[str]:
    known = {0, 200, 201, 429} | leave.statuses
    odd = sorted({call.status for call in calls} - known)
    return [f"answered {status}" for status in odd]
