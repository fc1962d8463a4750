"""Quantities and times in words a person reads: “1,000 API calls”, “100 MB”, “1 December”."""

from __future__ import annotations

from calendar import month_abbr, month_name
from datetime import UTC, date, datetime, timedelta

from billing.models import Metric

FIGURES = 4
SCALES = ("bytes", "kB", "MB", "GB", "TB", "PB")


def number(metric: Metric, n: int) -> str:
    """`n` base units of `metric`: “1,000”, or bytes in the largest unit that fits, 1 MB = 10^6 bytes."""
    sign = "−" if n < 0 else ""
    return sign + (_scaled(abs(n)) if metric.unit == Metric.Unit.BYTES else f"{abs(n):,}")


def quantity(metric: Metric, n: int) -> str:
    """`number` with what it counts: “1,000 API calls”, “1 API call”; bytes say themselves what they are."""
    if metric.unit == Metric.Unit.BYTES:
        return number(metric, n)
    return f"{number(metric, n)} {_singular(name(metric)) if abs(n) == 1 else name(metric)}"


def of_quantity(metric: Metric, n: int) -> str:
    """`quantity` that also names what the bytes are of: “100 MB of storage”."""
    text = quantity(metric, n)
    return f"{text} of {name(metric)}" if metric.unit == Metric.Unit.BYTES else text


def name(metric: Metric) -> str:
    """The metric's name inside a sentence: “API calls”, “active users”."""
    text = metric.name
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def is_plural(metric: Metric) -> bool:
    """Whether the metric's name takes “they”: “API calls” does, “storage” does not."""
    return metric.name.endswith("s") and not metric.name.endswith("ss")


def day(on: date) -> str:
    """“1 December”."""
    return f"{on.day} {month_name[on.month]}"


def moment(at: datetime) -> str:
    """“1 Dec 2026, 00:00 UTC”."""
    at = at.astimezone(UTC)
    return f"{at.day} {month_abbr[at.month]} {at.year}, {at:%H:%M} UTC"


def span(length: timedelta) -> str:
    """A length of time in its two largest units, cut: “7 days and 10 hours”, “3 seconds”."""
    seconds = max(0, int(length.total_seconds()))
    parts = [seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60, seconds % 60]
    names = ("day", "hour", "minute", "second")
    first = next((place for place, part in enumerate(parts) if part), 3)
    told = zip(parts[first : first + 2], names[first : first + 2], strict=True)
    words = [f"{part} {unit if part == 1 else unit + 's'}" for part, unit in told if part]
    return " and ".join(words) or "0 seconds"


def _scaled(n: int) -> str:
    """Four figures, cut and not rounded: what isn't full never looks full."""
    place = min((len(str(n)) - 1) // 3, len(SCALES) - 1)
    if place == 0:
        return "1 byte" if n == 1 else f"{n} bytes"
    whole, rest = divmod(n, 1000**place)
    decimals = max(0, FIGURES - len(str(whole)))
    fraction = f"{rest:0{3 * place}}"[:decimals].rstrip("0")
    return f"{whole:,}{'.' if fraction else ''}{fraction} {SCALES[place]}"


def _singular(noun: str) -> str:
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun
