"""Run a management command: `python manage.py help`."""

import os
import sys


def main() -> None:
    """Run what the command line says."""
    # Loading takes a good part of a second, in which a Ctrl-C should leave no trace either.
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
