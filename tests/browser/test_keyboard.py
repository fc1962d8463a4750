"""Everything by keyboard, seen where it is, without motion for who wants none, and silent but for another state."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.browser.window import Windows
from tests.browser.world import STAFF

# What can be reached on a page, in a closed menu nothing but what opens it; radio buttons are one stop a group.
REACHABLE = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
  const isSeen = (one) => one.checkVisibility() && !one.closest("details:not([open]) > :not(summary)");
  const isStop = (one) => one.type !== "radio" || one.checked ||
    !document.querySelector(`input[name="${one.name}"]:checked`);
  const stops = [...all].filter((one) => !one.matches(":disabled, [type=hidden]") && isSeen(one) && isStop(one));
  stops.forEach((one, number) => { one.dataset.stop = number; });
  return stops.map((one) => one.dataset.stop);
}"""
# The control that has the focus: its number, and whether a ring shows that it is here; a day of a chart frames itself.
FOCUSED = """() => {
  const one = document.activeElement;
  const isRinged = [one, one.closest(".choice")].filter(Boolean).map(getComputedStyle)
    .some(({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && parseFloat(outlineWidth) >= 2);
  const hit = one.querySelector(".hit");
  const isFramed = hit && getComputedStyle(hit).stroke !== "none";
  return [one.dataset?.stop ?? "", isRinged || Boolean(isFramed)];
}"""
PAGES = ("", "metrics/api_calls/", "cost/", "alerts/", "keys/", "plan/", "settings/")


def walked(page: Page) -> list[str]:
    """The controls of the page that cannot be reached with the tab key, or do not show that they were."""
    stops = page.evaluate(REACHABLE)
    marked = set()
    for _ in range(len(stops) + 2 + 3 * page.locator("input[type=date]").count()):  # a date has several stops
        page.keyboard.press("Tab")
        number, is_marked = page.evaluate(FOCUSED)
        if is_marked:
            marked.add(number)
    missed = [page.locator(f"[data-stop='{one}']") for one in stops if one not in marked]
    return [str(one.evaluate("one => one.outerHTML"))[:120] for one in missed]


class TestTab:
    @pytest.mark.parametrize("part", PAGES)
    def test_reaches_everything_and_shows_where_it_is(self, site: Site, windows: Windows, part: str) -> None:
        place = site.world.meadow
        page = windows.of(place.owner)
        page.goto(f"{place.home}{part}")
        assert not walked(page)

    def test_reaches_everything_on_the_staff_pages(self, windows: Windows) -> None:
        page = windows.of(STAFF)
        for path in ("/staff/tenants/", "/staff/imports/"):
            page.goto(path)
            assert not walked(page)

    def test_comes_first_to_a_link_that_skips_to_the_content(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.meadow.owner)
        page.goto(site.world.meadow.home)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()


class TestMenu:
    def test_opens_by_enter_and_closes_by_escape_where_it_began(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.meadow.owner)
        page.goto(site.world.meadow.home)
        opener = page.locator("summary").filter(has_text="Account: Owner Meadow")
        opener.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(opener).to_be_focused()


class TestMotion:
    def test_is_left_away_for_who_wants_none(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.meadow.owner, reduced_motion="reduce")
        page.goto(site.world.meadow.home)
        expect(page.locator("#go-plans")).to_have_css("transition-duration", "0s")
        assert page.evaluate("document.getAnimations().length") == 0
