"""Shows Headroom: a dozen tenants, real requests, live pages; `make demo` runs it beside its servers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config.serve import PortError, free_port
from demo.console import Console
from demo.place import AlreadyRunning, Place
from demo.preflight import HOST
from demo.show import NotUp, show


class Command(BaseCommand):
    help = "Show Headroom: a dozen tenants, real requests, live pages."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--var", type=Path, default=settings.VAR, help="where its files lie (default: %(default)s)"
        )
        parser.add_argument(
            "--port", default=os.environ.get("PORT") or "8000", help="default: PORT, else 8000"
        )

    def handle(self, *args: Any, var: Path, port: str, **options: Any) -> None:
        if not (settings.DATABASE_URL and settings.REDIS_URL):
            self._fail("Run `make demo`, which starts the servers, or set DATABASE_URL and REDIS_URL.")
        place = Place(var.absolute())
        try:
            number = free_port(HOST, port)
            with place.taken():
                code = show(place, number, Console(sys.stdout))
        except (PortError, AlreadyRunning, NotUp) as error:
            self._fail(str(error))
        sys.exit(code)

    def _fail(self, line: str) -> None:
        self.stderr.write(line)
        sys.exit(1)
