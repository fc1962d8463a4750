"""What goes wrong with embedded servers, and how it is said to the person at the terminal."""

import contextlib
import sys


class EmbeddedError(Exception):
    """One sentence that says what is wrong and what to do; shown without a traceback."""


def say(line: str) -> None:
    """Write a line for the person; a closed terminal must not keep the servers from being stopped."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
