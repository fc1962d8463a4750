"""How Headroom itself does: the health page, from the vital signs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.utils.dateformat import format as written
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage import heartbeats
from usage.reports.gauges import GAUGES, Gauge, gauges, in_unit
from usage.reports.meters import Look
from usage.reports.processes import PROCESSES, Process, processes
from usage.reports.servers import Server, servers
from usage.reports.summary import Tile
from usage.reports.vitals import Vitals, vitals


@dataclass(frozen=True, slots=True)
class Run:
    """One reconcile."""

    at: datetime
    when: str
    counts: str
    took: str
    found: int
    text: str
    done: str

    @property
    def look(self) -> Look:
        return Look("near", self.text) if self.found else Look("ok", self.text)


@dataclass(frozen=True, slots=True)
class Health:
    """Everything the page shows."""

    look: Look
    title: str
    reason: str
    tiles: tuple[Tile, ...]
    gauges: tuple[Gauge, ...]
    servers: tuple[Server, ...]
    processes: tuple[Process, ...]
    runs: tuple[Run, ...]
    at: datetime

    @property
    def reporting(self) -> int:
        return sum(one.look.code == "ok" for one in self.processes)

    @property
    def version(self) -> str:
        """Differs whenever the page would look different, except for when it was read."""
        parts = (self.title, self.reason, self.tiles, self.gauges, self.servers, self.processes, self.runs)
        return sha256(repr(parts).encode()).hexdigest()[:16]


def health(at: datetime) -> Health:
    """The state of the whole; reads both servers. Raises what PostgreSQL raises: the page needs it anyway."""
    read = vitals(at)
    shown, alive = tuple(gauges(read)), tuple(processes(read))
    found, runs = servers(read), tuple(_runs(read))
    wrong = [*_wrong(shown, found, alive)]
    return Health(
        look=Look("full", _("Look here")) if wrong else Look("ok", _("All well")),
        title=_title(read),
        reason=" ".join(wrong) if wrong else _all_well(read, alive, runs),
        tiles=_tiles(read, runs),
        gauges=shown,
        servers=found,
        processes=alive,
        runs=runs,
        at=at,
    )


def _runs(read: Vitals) -> Iterator[Run]:
    beat = read.beats.get(heartbeats.RECONCILE)
    for run in beat.detail["runs"] if beat else []:
        at = localtime(datetime.fromisoformat(run["at"]))
        text = ngettext("%d count was behind", "%d counts were behind", run["found"]) % run["found"]
        yield Run(
            at,
            f"{written(at, 'j M')} {at:%H:%M:%S}",
            f"{run['counts']:,}",
            f"{run['ms'] / 1000:.1f} s",
            run["found"],
            text if run["found"] else _("No difference"),
            "; ".join(run["said"]) or "–",
        )


def _tiles(read: Vitals, runs: Sequence[Run]) -> tuple[Tile, ...]:
    signs = read.signs
    tenants = (
        ngettext("of %s tenant", "of %s tenants", signs.dirty_tenants) % f"{signs.dirty_tenants:,}"
        if signs
        else ""
    )
    waiting = {"due": f"{read.due:,}", "later": f"{read.waiting:,}"}
    last = runs[0] if runs else None
    return (
        Tile(_("Counting lag"), _known(read.lag, "s"), _("alarm at %s") % in_unit(GAUGES[0].alarm, "s")),
        Tile(_("Dirty hours"), _known(read.dirty_hours, ""), tenants),
        Tile(
            _("Queue age"),
            in_unit(read.queue_age, "s"),
            _("%(due)s due · %(later)s wait for a later try") % waiting,
        ),
        Tile(
            _("Last reconcile"), f"{last.found:,}" if last else "–", last.when if last else _("has never run")
        ),
    )


def _known(value: float | None, unit: str) -> str:
    return "–" if value is None else in_unit(value, unit)


def _title(read: Vitals) -> str:
    if read.lag is None or not read.has_spoken(heartbeats.FLUSH):
        return _("Nothing was counted into PostgreSQL yet.")
    ages = {"lag": in_unit(read.lag, "s"), "queue": in_unit(read.queue_age, "s")}
    return _("Counting is %(lag)s behind, sending %(queue)s.") % ages


def _wrong(shown: Sequence[Gauge], found: Sequence[Server], alive: Sequence[Process]) -> Iterator[str]:
    for server in found:
        if not server.is_well:
            yield _("%s needs a look.") % server.name
    for process in alive:
        if process.look.code != "ok":
            yield f"{process.name}: {process.look.word.lower()}."
    for gauge in shown:
        if gauge.look.code != "ok":
            yield _("%(name)s: %(now)s.") % {"name": gauge.name, "now": gauge.now}


def _all_well(read: Vitals, alive: Sequence[Process], runs: Sequence[Run]) -> str:
    if any(not read.has_spoken(name) for name, _title, _silent in PROCESSES):
        return _("Redis and PostgreSQL answer; the processes started a moment ago and have yet to report.")
    sentence = _("Redis and PostgreSQL answer, all %d processes report.") % len(alive)
    if not runs:
        return sentence
    return f"{sentence} " + _("The last reconcile compared %(counts)s counts: %(found)s.") % {
        "counts": runs[0].counts,
        "found": runs[0].text.lower(),
    }
