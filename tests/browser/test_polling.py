"""When a page asks for its counts again: often while they move, seldom while they rest, never unseen or paused."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.site import WITHIN, Site
from tests.browser.window import Windows

MINUTE = 60_000  # ms
SEEN = "document.dispatchEvent(new Event('visibilitychange'))"
HIDDEN = (
    f"Object.defineProperty(document, 'visibilityState', {{ value: 'hidden', configurable: true }}); {SEEN}"
)
SHOWN = (
    f"Object.defineProperty(document, 'visibilityState', {{ value: 'visible', configurable: true }}); {SEEN}"
)


class Watch:
    """A page whose clock the test turns, and how often it has asked for its parts."""

    def __init__(self, page: Page, path: str) -> None:
        self.page, self.asked, self.answered = page, 0, 0
        page.clock.install()
        page.on("request", self._ask)
        page.on("requestfinished", self._answer)
        page.goto(path)
        self.page.clock.pause_at(page.evaluate("Date.now() + 1000"))

    def rest(self, milliseconds: int) -> int:
        """How often it asks in that time, each answer awaited before time goes on."""
        before = self.asked
        for _ in range(milliseconds // 1_000):
            self.page.clock.run_for(1_000)
            self.page.evaluate("0")  # what the page has begun by now is known here
            deadline = time.monotonic() + WITHIN
            while self.answered < self.asked:
                assert time.monotonic() < deadline, "a poll is not answered"
                self.page.wait_for_timeout(20)
        return self.asked - before

    def _ask(self, request: Request) -> None:
        self.asked += "seen=" in request.url

    def _answer(self, request: Request) -> None:
        self.answered += "seen=" in request.url


@pytest.fixture
def watch(site: Site, windows: Windows) -> Watch:
    """The overview of a tenant of which nothing moves."""
    place = site.world.harbor
    return Watch(windows.of(place.viewer), place.home)


class TestPolling:
    def test_becomes_seldom_while_nothing_changes(self, watch: Watch) -> None:
        first, _second, last = watch.rest(MINUTE), watch.rest(MINUTE), watch.rest(2 * MINUTE)
        assert 3 <= first <= 6
        assert 3 <= last <= 5

    def test_is_often_again_after_a_look_away(self, watch: Watch) -> None:
        watch.rest(3 * MINUTE)
        watch.page.evaluate(HIDDEN)
        assert watch.rest(2 * MINUTE) == 0
        unseen = watch.asked
        watch.page.evaluate(SHOWN)
        watch.rest(9_000)
        assert watch.asked - unseen == 2

    def test_ends_where_somebody_pauses_the_page(self, watch: Watch) -> None:
        watch.page.get_by_role("button", name="Live").click()
        expect(watch.page.get_by_role("button", name="Paused")).to_be_visible()
        assert watch.rest(MINUTE) == 0
