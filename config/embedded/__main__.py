"""The command line of the embedded servers: `run -- COMMAND`, `clear`."""

import argparse
import sys
from pathlib import Path

from config.embedded.errors import EmbeddedError, say
from config.embedded.reaping import clear

DATA = Path("var/demo")


def main(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit code."""
    # Loading the servers' clients takes a moment, in which a Ctrl-C should leave no trace either.
    from config.embedded.supervisor import Options, run

    asked = _parser().parse_args(arguments)
    try:
        if asked.action == "clear":
            clear(asked.data)
            return 0
        data = None if asked.throwaway else asked.data
        return run(Options(data, asked.redis_server, asked.with_parent), asked.command)
    except EmbeddedError as error:
        say(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    running = actions.add_parser(
        "run", help="run a command with DATABASE_URL and REDIS_URL of embedded servers"
    )
    where = running.add_mutually_exclusive_group()
    where.add_argument("--data", type=Path, default=DATA, help="the data folder (default: %(default)s)")
    where.add_argument(
        "--throwaway", action="store_true", help="use a fresh data folder and remove it at the end"
    )
    running.add_argument("--redis-server", type=Path, help="run this Redis or Valkey instead of the wheel's")
    running.add_argument("--with-parent", action="store_true", help="stop when the calling process has died")
    running.add_argument("command", nargs="+", help="the command and its arguments, after --")
    clearing = actions.add_parser("clear", help="remove a data folder that is not in use")
    clearing.add_argument("--data", type=Path, default=DATA)
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
