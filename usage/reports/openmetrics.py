"""The vital signs as OpenMetrics text: summed over all processes and hosts, and never by tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import accumulate

from usage import heartbeats
from usage.metering.tally import ALLOWED, BOUNDS, REFUSED, UNAVAILABLE, UNCOUNTED
from usage.reports.vitals import Vitals, deliveries_of_a_day, vitals

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OUTCOMES = (ALLOWED, REFUSED, UNCOUNTED, UNAVAILABLE)

Sample = tuple[Mapping[str, str], float]


def openmetrics(at: datetime) -> str:
    """All of it, ending in `# EOF`."""
    read = vitals(at)
    lines = [*_decisions(read), *_checks(read)]
    for name, kind, text, value in _numbers(read):
        if value is not None:
            lines += _family(name, kind, text, [({}, value)])
    told = [
        ({"channel": channel, "outcome": status}, float(count))
        for channel, status, count in deliveries_of_a_day(at)
    ]
    lines += _family("deliveries_last_day", "gauge", "Deliveries made in the last 24 hours.", told)
    return "\n".join([*lines, "# EOF", ""])


def _numbers(read: Vitals) -> Iterator[tuple[str, str, str, float | None]]:
    yield "redis_up", "gauge", "Whether Redis answers.", float(read.signs is not None)
    yield "flush_lag_seconds", "gauge", "Since the last flush of counts into PostgreSQL.", read.lag
    yield "dirty_hours", "gauge", "Hours of tenants that wait to be flushed.", read.dirty_hours
    yield "limit_change_age_seconds", "gauge", "Of the oldest change not yet felt.", read.change_age
    yield "queue_age_seconds", "gauge", "Of the oldest delivery that is due.", read.queue_age
    yield "queue_due", "gauge", "Deliveries that are due.", read.due
    yield "queue_waiting", "gauge", "Deliveries that wait for a later attempt.", read.waiting
    yield "held", "gauge", "Things that processes let pass and have yet to count.", read.held
    yield "breakers_open", "gauge", "Processes that ask Redis nothing just now.", read.open_breakers
    if reconcile := read.beats.get(heartbeats.RECONCILE):
        age = (read.at - reconcile.at).total_seconds()
        yield "reconcile_age_seconds", "gauge", "Since counts were last reconciled.", age
        found = reconcile.detail["runs"][0]["found"]
        yield "reconcile_differences", "gauge", "What the last reconcile found.", found


def _decisions(read: Vitals) -> Iterable[str]:
    tallies = read.signs.tallies if read.signs else {}
    samples = []
    for name in sorted(tallies):
        outcome, _, metric = name.partition(":")
        if outcome in OUTCOMES:
            samples.append(({"outcome": outcome, "metric": metric}, float(tallies[name])))
    return _family(
        "decisions", "counter", "Charges decided, by outcome and metric.", samples, suffix="_total"
    )


def _checks(read: Vitals) -> Iterator[str]:
    name, buckets = "headroom_check_seconds", read.buckets
    tallies = read.signs.tallies if read.signs else {}
    yield f"# TYPE {name} histogram"
    yield f"# UNIT {name} seconds"
    yield f"# HELP {name} How long decisions took."
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), accumulate(buckets), strict=True):
        yield f'{name}_bucket{{le="{bound}"}} {count}'
    yield f"{name}_count {sum(buckets)}"
    yield f"{name}_sum {tallies.get('microseconds', 0) / 1_000_000}"


def _family(name: str, kind: str, text: str, samples: Iterable[Sample], suffix: str = "") -> Iterator[str]:
    full = f"headroom_{name}"
    yield f"# TYPE {full} {kind}"
    if full.endswith("_seconds"):
        yield f"# UNIT {full} seconds"
    yield f"# HELP {full} {text}"
    for labels, value in samples:
        inner = ",".join(f'{key}="{value}"' for key, value in labels.items())
        yield f"{full}{suffix}{{{inner}}} {value:.15g}" if inner else f"{full}{suffix} {value:.15g}"
