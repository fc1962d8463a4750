"""What moves while somebody looks: a gauge, a limit that operations edit, the page of who is refused."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.site import Site, eventually
from tests.browser.window import Windows, sign_in
from tests.browser.world import STAFF

pytestmark = pytest.mark.usefixtures("background")

POLLED = 60_000  # ms; a page on which nothing moved asks twice a minute, of a machine that may be busy
FELT = 10.0  # seconds; two are promised
OK, TOO_MANY = 200, 429
REPORT = "/product/report/"


def calls(page: Page) -> Locator:
    """The line of API calls among the gauges."""
    return page.locator("#gauges li").filter(has=page.locator("#go-api_calls"))


class TestSignIn:
    def test_says_that_the_password_is_wrong_and_opens_with_the_right_one(
        self, site: Site, windows: Windows
    ) -> None:
        page, place = windows.stranger(), site.world.harbor
        page.goto(place.home)
        expect(page).to_have_url(re.compile(r"/sign-in/\?next=/t/harbor/$"))
        sign_in(page, place.owner, "not the password")
        expect(page.get_by_role("alert")).to_contain_text("Email or password is wrong.")
        expect(page.get_by_label("Email")).to_have_value(place.owner)
        expect(page.get_by_label("Password")).to_have_value("")
        sign_in(page, place.owner)
        expect(page).to_have_url(f"{site.url}{place.home}")


class TestGauge:
    def test_moves_while_requests_arrive(self, site: Site, windows: Windows) -> None:
        place = site.world.harbor
        page = windows.of(place.owner)
        page.goto(place.home)
        expect(calls(page).locator(".left b")).to_have_text("1,000")
        expect(calls(page).locator("rect.used")).to_have_attribute("width", "0%")
        page.evaluate("window.stays = true")
        assert {site.ping(place.key) for _ in range(200)} == {OK}
        expect(calls(page).locator(".left b")).to_have_text("800", timeout=POLLED)
        expect(calls(page).locator("rect.used")).to_have_attribute("width", "15%")
        assert page.evaluate("window.stays")  # it is the page that was opened
        expect(page.locator("#said")).to_be_empty()  # numbers that move are not read out


class TestRefusal:
    def test_is_a_page_that_says_what_is_used_up_and_leads_on(self, site: Site, windows: Windows) -> None:
        place = site.world.quarry
        page = windows.of(place.viewer)
        assert windows.refused(page, REPORT) == TOO_MANY
        expect(page.get_by_role("heading", level=1)).to_contain_text(
            "Quarry Books has used all its API calls"
        )
        expect(page.locator("main")).to_contain_text("You've used all 1,000 API calls in your Free plan.")
        expect(page.locator("main")).to_contain_text("Owner Quarry, who can change the plan")
        expect(page.get_by_text("Request id")).to_be_hidden()
        page.get_by_text("For developers").click()
        expect(page.get_by_text("Request id")).to_be_visible()
        page.get_by_role("link", name="See plans").click()
        expect(page).to_have_url(f"{site.url}{place.home}plan/")

    def test_ends_what_was_a_page_as_long_as_there_was_room(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.harbor.owner)
        page.goto(REPORT)
        expect(page.get_by_role("heading", level=1)).to_have_text("Report")


class TestPlanEdit:
    def test_is_asked_about_then_felt_by_pages_and_programs(self, site: Site, windows: Windows) -> None:
        place = site.world.ferry
        page, admin = windows.of(place.owner), windows.of(STAFF)
        page.goto(place.home)
        assert site.ping(place.key) == OK
        edit_calls(admin, "5")
        expect(admin.locator("#consequences")).to_contain_text("This touches 1 tenant")
        expect(admin.locator("#content-main")).to_contain_text("API calls")
        admin.get_by_role("button", name="Save for 1 tenant").click()
        expect(admin.locator(".messagelist")).to_contain_text("1 tenant feels it within seconds.")
        eventually(lambda: site.ping(place.key) == TOO_MANY, FELT)
        expect(calls(page).locator(".meter small")).to_contain_text("of 5", timeout=POLLED)
        expect(calls(page).locator(".is")).to_have_text("At limit", timeout=POLLED)
        expect(page.locator("#said")).to_contain_text("At limit.")
        edit_calls(admin, "60000")
        admin.get_by_role("button", name="Save for 1 tenant").click()
        eventually(lambda: site.ping(place.key) == OK, FELT)
        expect(calls(page).locator(".meter small")).to_contain_text("of 60,000", timeout=POLLED)


def edit_calls(admin: Page, included: str) -> None:
    """Set how many calls the plan starter includes, as far as the question whether that is meant."""
    admin.goto("/admin/billing/plan/")
    admin.get_by_role("link", name="Starter").click()
    row = admin.locator("#allowances-group tr.has_original").filter(has_text="API calls").first
    row.locator("input[name$=-included]").fill(included)
    admin.locator("input[name=_save]").click()
