"""Takes the pictures in `docs/screenshots`; `make screenshots` runs it beside servers of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from playwright.sync_api import sync_playwright

from demo.camera import Camera, NotWarm
from demo.handout import Credentials, read_credentials
from demo.place import Place
from demo.preflight import HOST
from demo.show import answers

FOLDER = settings.BASE_DIR / "docs" / "screenshots"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-background-networking", "--hide-scrollbars"]
UP_WITHIN = 300.0


class Command(BaseCommand):
    help = "Take every page of a demo of its own, light, dark and on a phone, into docs/screenshots."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise CommandError("There is no Chromium: `apt-get install chromium` brings it.")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with demo(self._say) as (base_url, credentials), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            camera = Camera(browser, base_url, credentials, FOLDER)
            try:
                camera.wait_until_warm()
            except NotWarm as error:
                raise CommandError(str(error)) from error
            camera.take_all(self._say)
            browser.close()
        total = sum(file.stat().st_size for file in FOLDER.iterdir())
        self._say(f"{total / 1e6:.1f} MB in {FOLDER}")

    def _say(self, line: str) -> None:
        self.stdout.write(f"  {line}")
        self.stdout.flush()


@contextmanager
def demo(say: Any) -> Iterator[tuple[str, Credentials]]:
    """A demo on the servers of the environment, until the end of the block: its address and what opens it."""
    with tempfile.TemporaryDirectory(prefix="headroom-screenshots-") as folder, socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
        probe.close()
        place = Place(Path(folder))
        command = [sys.executable, "manage.py", "demo", "--var", folder, "--port", str(port)]
        running = subprocess.Popen(command, cwd=settings.BASE_DIR)  # noqa: S603  # our own command
        try:
            say("waiting for the demo")
            yield f"http://{HOST}:{port}", _opened(place, running, port)
        finally:
            running.terminate()
            running.wait()


def _opened(place: Place, running: subprocess.Popen[bytes], port: int) -> Credentials:
    """What opens the demo, as soon as it answers. Raises CommandError."""
    deadline = time.monotonic() + UP_WITHIN
    while not ((credentials := read_credentials(place.handout)).password and answers(port)):
        if running.poll() is not None or time.monotonic() > deadline:
            raise CommandError(f"The demo did not come up within {UP_WITHIN:.0f} s.")
        time.sleep(0.5)
    return credentials
