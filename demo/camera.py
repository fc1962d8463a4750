"""Takes the pages of a running demo in Chromium: light, dark, and on a phone; small WebP files."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from demo.gallery import OWNER, PROGRAM, SHOTS, STAFF, Shot
from demo.handout import Credentials

DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
QUALITY = 64
TALLEST = 2_000  # px; what lies below on a long page is left away
WARM_WITHIN = 240.0
PATIENCE = 60_000  # ms
EMAILS = {OWNER: "mia@northwind.example", STAFF: "ines@headroom.example"}
FULL = "juniper-and-sons"
# What must be on a page before pictures are worth taking: the last parts that the demo's programs bring.
SIGNS = (
    ("/t/northwind-labs/", "#alerts li", 1),
    ("/staff/tenants/", "#rows tbody tr", 12),
    ("/staff/deliveries/", "#rows tbody tr", 5),
    ("/staff/health/", "#workers .state.ok", 5),
)


class NotWarm(Exception):
    """The demo did not get as far as its pages are worth showing; says what is missing."""


class Camera:
    """Looks at the demo at `base_url`, and puts the pictures into `folder`."""

    def __init__(self, browser: Browser, base_url: str, credentials: Credentials, folder: Path) -> None:
        self.browser, self.base_url, self.folder = browser, base_url, folder
        self.credentials = credentials
        self.windows: dict[str, Page] = {}

    def wait_until_warm(self) -> None:
        """Return as soon as every sign is there. Raises NotWarm."""
        page, deadline = self._window(STAFF), time.monotonic() + WARM_WITHIN
        for path, selector, least in SIGNS:
            while _count(page, path, selector) < least:
                if time.monotonic() > deadline:
                    raise NotWarm(
                        f"Not warm after {WARM_WITHIN:.0f} s: {least} × {selector} on {path} are missing."
                    )
                time.sleep(0.5)

    def take_all(self, say: Callable[[str], None]) -> None:
        """Every page in three pictures."""
        for shot in SHOTS:
            page = self._window(shot.who)
            self._open(page, shot)
            for name, size, scheme in (
                ("light", DESK, "light"),
                ("dark", DESK, "dark"),
                ("phone", PHONE, "light"),
            ):
                page.set_viewport_size(size)
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                self._take(page, self.folder / f"{shot.name}-{name}.webp", size)
            say(shot.name)

    def _open(self, page: Page, shot: Shot) -> None:
        page.set_viewport_size(DESK)
        page.goto(shot.path)
        if shot.follow:
            page.goto(page.locator(shot.follow).first.get_attribute("href") or shot.path)

    def _window(self, who: str) -> Page:
        if who not in self.windows:
            context = self.browser.new_context(
                base_url=self.base_url, viewport=DESK, reduced_motion="reduce", locale="en-GB"
            )
            context.set_default_timeout(PATIENCE)
            self.windows[who] = context.new_page()
            self._admit(who, context, self.windows[who])
        return self.windows[who]

    def _admit(self, who: str, context: BrowserContext, page: Page) -> None:
        """Sign in, or carry a key as a program does."""
        if who == PROGRAM:
            context.set_extra_http_headers({"Authorization": f"Bearer {self.credentials.keys[FULL]}"})
        if who in EMAILS:
            page.goto("/sign-in/")
            page.get_by_label("Email").fill(EMAILS[who])
            page.get_by_label("Password").fill(self.credentials.password)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "/sign-in/" not in url)

    def _take(self, page: Page, file: Path, size: ViewportSize) -> None:
        """As WebP, which Playwright itself does not write."""
        height = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
        session = page.context.new_cdp_session(page)
        file.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", asked)["data"]))
        session.detach()


def _count(page: Page, path: str, selector: str) -> int:
    page.goto(path)
    return page.locator(selector).count()
