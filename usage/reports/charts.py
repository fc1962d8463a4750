"""Geometry of the pictures, computed on the server: plain attributes of SVG, so that a strict CSP holds.

x and widths are in % of the picture's width (text never scales with it), y and heights in px. All numbers leave as
strings with a decimal point: a template would write them in the reader's language, and 61,2 is no coordinate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

LIMIT_AT = 75.0  # the limit stands at 75 % of a bar's width, so that ceilings line up in a column
SPARK_WIDTH, SPARK_HEIGHT, SPARK_TOP = 120.0, 28.0, 3.8


def number(value: float) -> str:
    """A coordinate with at most two decimals: 61.22, 75, 0."""
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Bar:
    """A headroom bar: `used`, then the room up to the limit or what lies over it, all in % of the width.

    With a forecast also what is expected: hatched inside the limit (`ghost`) and `beyond` it, with a tick at its end.
    A part that is empty is not there.
    """

    used: str
    room_x: str
    room: str
    over: str  # width of the billed part beyond the limit
    is_off_scale: bool
    ghost: str
    beyond_x: str
    beyond: str
    cast: str
    hatch: str  # the texture of what lies beyond


def bar(used: int, limit: int, *, is_billed: bool, expected: int | None = None) -> Bar:
    """The bar of `used` against `limit`; past the limit it is striped where use goes on (`is_billed`)."""
    end, cast = _place(used, limit), _place(max(used, expected or 0), limit)
    solid = min(end, LIMIT_AT) if is_billed else end
    inside, beyond = min(cast, LIMIT_AT) - end, cast - max(end, LIMIT_AT)
    is_off_scale = max(used, expected or 0) * LIMIT_AT > limit * 100
    return Bar(
        used=number(solid),
        room_x=number(solid),
        room=number(LIMIT_AT - end) if end < LIMIT_AT else "",
        over=number(end - LIMIT_AT) if is_billed and end > LIMIT_AT else "",
        is_off_scale=is_off_scale,
        ghost=number(inside) if inside > 0 else "",
        beyond_x=number(max(end, LIMIT_AT)),
        beyond=number(beyond) if beyond > 0 else "",
        cast="" if expected is None or is_off_scale else number(cast),
        hatch="h-bill" if is_billed else "h-stop",
    )


def _place(units: int, limit: int) -> float:
    """Where on the bar so many units end."""
    ratio = units / limit if limit else 1.0 + (units > 0)
    return min(ratio * LIMIT_AT, 100.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of the strip; `past` is the width of its part that is over, empty when none is."""

    x: str
    width: str
    past: str
    is_whole: bool
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """The period's days in a row, where now is, and where headroom ends (`out`, empty where it does not)."""

    cells: tuple[Cell, ...]
    now: str
    is_late: bool  # now lies so far right that its text must end there
    out: str
    is_out_late: bool


def strip(days: int, elapsed: float, *, gone: float | None) -> Strip:
    """`days` cells, of which the share `elapsed` is over; from the share `gone` on there is no headroom."""
    pitch = 100 / days
    width = pitch * 0.774
    cells = []
    for day in range(days):
        over = min(1.0, max(0.0, elapsed * days - day))
        past, is_gone = number(over * width) if over else "", gone is not None and day >= int(gone * days)
        cells.append(Cell(number(day * pitch), number(width), past, over == 1.0, is_gone))
    out = "" if gone is None or gone <= elapsed else number(_pin(gone, days, pitch, width))
    return Strip(
        tuple(cells), number(_pin(elapsed, days, pitch, width)), elapsed > 0.5, out, (gone or 0) > 0.3
    )


def _pin(share: float, days: int, pitch: float, width: float) -> float:
    """Where a moment lies on the strip."""
    whole, part = divmod(share * days, 1)
    return min(whole * pitch + part * width, 100 - pitch + width)


@dataclass(frozen=True, slots=True)
class Spark:
    """A small line of the last days: path data in a 120 × 28 box."""

    line: str
    area: str
    last_y: str


def spark(values: Sequence[int]) -> Spark:
    """A line from the first to the last value; the highest touches the top, zero the bottom."""
    highest = max(values, default=0) or 1
    step = SPARK_WIDTH / max(1, len(values) - 1)
    points = [
        f"{i * step:.1f} {SPARK_HEIGHT - value / highest * (SPARK_HEIGHT - SPARK_TOP):.1f}"
        for i, value in enumerate(values)
    ] or [f"0 {SPARK_HEIGHT:.0f}"]
    line = "M" + " ".join(points)
    return Spark(line, f"{line} L120 28 0 28Z", points[-1].split()[1])


def share(part: int, whole: int) -> str:
    """`part` of `whole` as a width in %."""
    return number(100 * part / whole) if whole else "0"


def ticks(highest: int, *, most: int, on: int | None = None) -> list[int]:
    """Round steps from 0 to `highest` or past it, `most` at the most; one of them `on` a limit where that fits."""
    wanted = max(highest, 1)
    steps = [step for step in _round_steps(wanted) if -(-wanted // step) <= most]
    step = next((step for step in steps if on and on % step == 0), steps[0])
    return [step * i for i in range(-(-wanted // step) + 1)]


def _round_steps(wanted: int) -> list[int]:
    """1, 2, 2.5 and 5 times the powers of ten, from small to as large as `wanted`."""
    powers = [10**n for n in range(len(str(wanted)) + 1)]
    return sorted(
        {power * part // 10 for power in powers for part in (10, 20, 25, 50) if power * part % 10 == 0}
    )


def percent(part: int, whole: int) -> Decimal:
    """`part` of `whole` in percent, to one decimal."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1")) if whole else Decimal(0)
