"""The table at the end: what each fault did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

HEAD = ("fault", "times", "calls", "lost", "doubled", "over the limit")


class Row(NamedTuple):
    """One line: units lost, doubled and over the limit, in all times a fault was done."""

    fault: str
    times: int
    calls: int
    lost: int
    doubled: int
    over: int


def table(rows: Sequence[Row]) -> str:
    """The rows under their head, those of one fault added up."""
    lines = [_line(HEAD)]
    for name in dict.fromkeys(row.fault for row in rows):
        these = [row for row in rows if row.fault == name]
        lines.append(
            _line((name, *(sum(column) for column in zip(*(row[1:] for row in these), strict=True))))
        )
    return "\n".join(lines)


def _line(cells: Sequence[object]) -> str:
    name, *numbers = cells
    return f"{name:<44}" + "".join(
        f"{number:>{len(head) + 3}}" for number, head in zip(numbers, HEAD[1:], strict=True)
    )
