"""Before the demo starts: ends what a killed one left running, then says whether the port can be had.

`python -m demo.preflight FOLDER`; nothing is started yet when the answer is no.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from config.embedded.errors import EmbeddedError
from config.embedded.reaping import reap_dead
from config.serve import PortError, free_port

HOST = "127.0.0.1"


def main(arguments: Sequence[str]) -> int:
    """Look at the data folder and at PORT; returns the exit code."""
    try:
        reap_dead(Path(arguments[0]))
        free_port(HOST, os.environ.get("PORT") or "8000")
    except (EmbeddedError, PortError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
