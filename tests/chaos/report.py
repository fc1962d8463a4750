"""The table at the end: what each fault did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.chaos.balance import Balance

HEAD = ("fault", "times", "calls", "lost", "doubled", "over the limit")
WIDTH = 48
PROPERTY = "chaos"  # of a test's report: its row


class Row(NamedTuple):
    """One line: units lost, doubled and over the limit, in all times a fault was done."""

    fault: str
    times: int
    calls: int
    lost: int
    doubled: int
    over: int


def row(fault: str, found: Balance) -> Row:
    """What a fault did, done once."""
    return Row(fault, 1, found.calls, found.lost, found.doubled, found.over)


def table(rows: Sequence[Row]) -> str:
    """The rows under their head, those of one fault added up."""
    lines = [_line(*HEAD)]
    for fault in dict.fromkeys(one.fault for one in rows):
        columns = zip(*(one[1:] for one in rows if one.fault == fault), strict=True)
        lines.append(_line(fault, *map(sum, columns)))
    return "\n".join(lines)


def _line(name: str, *cells: object) -> str:
    return f"{name:<{WIDTH}}" + "".join(
        f"{cell:>{len(head) + 3}}" for cell, head in zip(cells, HEAD[1:], strict=True)
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show the rows that tests have recorded, also those of other processes."""
    reports = [one for those in terminalreporter.stats.values() for one in those]
    found = [part for one in reports for part in getattr(one, "user_properties", ())]
    rows = {Row(*cells) for name, cells in found if name == PROPERTY}
    if rows:
        terminalreporter.section("faults under load")
        terminalreporter.write_line(table(sorted(rows)))
