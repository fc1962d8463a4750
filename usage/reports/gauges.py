"""The gauges of the health page: now, the worst of the last hour, and from where on they alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrPromise

from usage import heartbeats
from usage.reports.charts import Spark, spark
from usage.reports.meters import Look
from usage.reports.pulse import buckets_before, checks_since, last_hour, values_of
from usage.reports.vitals import Vitals

FEW = 20  # checks of which the slowest says nothing about the others
GRACE = 15  # seconds after the start in which nothing need have been flushed
WARMING = 60  # seconds after the start in which tenants are opened, which is slower than counting
FINE = 10_000  # sparks are drawn from whole numbers: a ten-thousandth of the unit is fine enough


class Kind(NamedTuple):
    """A gauge: its key in the pulse, name, what it is, unit, and from where on it alarms."""

    key: str
    name: StrPromise
    note: StrPromise
    unit: str
    alarm: float


GAUGES = (
    Kind("lag", gettext_lazy("Counting lag"), gettext_lazy("since the last flush into PostgreSQL"), "s", 5),
    Kind("dirty", gettext_lazy("Dirty hours"), gettext_lazy("tenant hours to be written"), "", 5_000),
    Kind(
        "change",
        gettext_lazy("Limit change age"),
        gettext_lazy("oldest not yet felt by the counters"),
        "s",
        2,
    ),
    Kind("queue", gettext_lazy("Queue age"), gettext_lazy("oldest delivery that is due"), "s", 60),
    Kind("p99", gettext_lazy("Check, p99"), gettext_lazy("per counted request, at most"), "ms", 0.05),
    Kind(
        "held",
        gettext_lazy("Counted without Redis"),
        gettext_lazy("held in a process, to be replayed"),
        "",
        1,
    ),
)


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge now and over the last hour."""

    name: str
    note: str
    now: str
    highest: str
    alarm: str
    spark: Spark
    look: Look


def gauges(read: Vitals) -> Iterator[Gauge]:
    """All of them, in the order of the page."""
    hour, before = last_hour(read), buckets_before(read)
    values = values_of(read, before)
    for kind in GAUGES:
        is_unknown = _is_unknown(read, kind, before)
        now, past = values.get(kind.key), hour.get(kind.key, [])
        yield Gauge(
            str(kind.name),
            str(kind.note),
            "–" if now is None or is_unknown else in_unit(now, kind.unit),
            in_unit(max([*past, now or 0.0]), kind.unit),
            in_unit(kind.alarm, kind.unit),
            spark([round(value * FINE) for value in [*past, now or 0.0]]),
            unknown() if is_unknown else _look(now, kind),
        )


def _is_unknown(read: Vitals, kind: Kind, before: list[int]) -> bool:
    """Whether there are no figures yet: right after the start, and of checks while they are few."""
    if kind.key == "p99":
        return read.signs is not None and (checks_since(read, before) < FEW or read.is_new(WARMING))
    return kind.key == "lag" and read.is_new(GRACE) and not read.has_spoken(heartbeats.FLUSH)


def _look(now: float | None, kind: Kind) -> Look:
    return Look("full", _("Alarm")) if now is None or now >= kind.alarm else ok()


def unknown() -> Look:
    """Nothing can be said yet, and nothing is wrong with that."""
    return Look("ok", _("No figures yet"))


def ok() -> Look:
    """Nothing is wrong with it."""
    return Look("ok", _("OK"))


def in_unit(value: float, unit: str) -> str:
    """“0.8 s”, “0.5 ms” (of seconds), “1,204”."""
    if unit == "ms":
        return f"{value * 1000:.4g} ms"
    return f"{value:.1f} s" if unit == "s" else f"{value:,.0f}"
