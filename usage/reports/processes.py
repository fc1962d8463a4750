"""Which processes show signs of life, and what they did last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage import heartbeats
from usage.reports.gauges import ok, unknown
from usage.reports.meters import Look
from usage.reports.vitals import OUTAGE_SAID, Vitals

# Whose signs of life are expected: name, who that is, and after how many seconds of silence something is wrong.
PROCESSES = (
    ("flush", gettext_lazy("Flusher"), 15),
    ("take_over_changes", gettext_lazy("Limiter"), 15),
    ("deliver", gettext_lazy("Worker, alerts"), 15),
    ("begin_periods", gettext_lazy("Worker, chores"), 90),
    ("beat", gettext_lazy("Beat"), 15),
)


@dataclass(frozen=True, slots=True)
class Process:
    """One process' last sign of life."""

    name: str
    doing: str
    ago: str
    look: Look


def processes(read: Vitals) -> Iterator[Process]:
    """Those that should run, then those that hold something in an outage."""
    for name, title, silent in PROCESSES:
        beat = read.beats.get(name)
        if read.is_new(silent) and not read.has_spoken(name):
            yield Process(str(title), _("has just started"), "–", unknown())
            continue
        if beat is None:
            yield Process(str(title), _("has never run"), "–", Look("full", _("Silent")))
            continue
        age = max(0.0, (read.at - beat.at).total_seconds())
        look = ok() if age <= silent else Look("full", _("Silent"))
        yield Process(str(title), _doing(beat.detail), _("%.1f s ago") % age, look)
    for name, beat in sorted(read.beats.items()):
        if name.startswith(heartbeats.OUTAGE) and read.at - beat.at < OUTAGE_SAID:
            held = _("holds %s uncounted") % f"{beat.detail['held']:,}"
            age = (read.at - beat.at).total_seconds()
            where = name.removeprefix(heartbeats.OUTAGE)
            yield Process(where, held, _("%.1f s ago") % age, Look("full", _("Without Redis")))


def _doing(detail: Mapping[str, Any]) -> str:
    if "ms" not in detail:
        return _("rings for the others")
    return _("last did %(count)s in %(ms)s ms") % {"count": f"{detail['count']:,}", "ms": f"{detail['ms']:,}"}
