"""What an owner does about keys and colleagues, and what comes of it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.letters import letters
from tests.browser.site import Site, eventually
from tests.browser.window import Windows, sign_in

OK, UNAUTHORIZED, NOT_FOUND = 200, 401, 404
FELT = 10.0  # seconds; five are promised
NEW_PASSWORD = "quite another horse"


def create_key(page: Page, name: str) -> str:
    """Make a key on the page; its secret."""
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("heading", name=f"Copy the key “{name}” now")).to_be_visible()
    return page.locator("#new-key").inner_text()


def mailed_link(site: Site, email: str) -> str:
    """The path of the link in the invitation that was mailed there; empty while none was."""
    found = [re.search(r"/join/\S+/", one) for one in letters(site, email)]
    return next((one[0] for one in found if one), "")


class TestKey:
    def test_is_created_used_rotated_and_revoked(self, site: Site, windows: Windows) -> None:
        place = site.world.lagoon
        page = windows.of(place.owner, permissions=["clipboard-read", "clipboard-write"])
        page.goto(place.home)
        page.get_by_role("link", name="API keys").click()
        secret = create_key(page, "shop")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == secret
        assert site.ping(secret) == OK
        page.get_by_role("link", name="API keys").click()
        expect(page.locator("#keys")).to_contain_text("shop")
        expect(page.locator("body")).not_to_contain_text(secret)

        page.get_by_role("link", name="Rotate shop").click()
        page.get_by_text("1 hour").click()
        page.get_by_role("button", name="Make the new key").click()
        newer = page.locator("#new-key").inner_text()
        assert [site.ping(secret), site.ping(newer)] == [OK, OK]

        page.get_by_role("link", name="Revoke shop").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Revoke “shop”?")
        page.get_by_role("button", name="Revoke key").click()
        expect(page.locator("#banner")).to_contain_text("was revoked.")
        eventually(lambda: site.ping(newer) == UNAUTHORIZED, FELT)
        assert site.ping(secret) == OK

    def test_needs_no_script(self, site: Site, windows: Windows) -> None:
        place = site.world.lagoon
        page = windows.of(place.owner, java_script_enabled=False)
        page.goto(f"{place.home}keys/")
        secret = create_key(page, "plain")
        expect(page.get_by_role("button", name="Copy")).to_be_hidden()
        assert site.ping(secret) == OK
        page.get_by_role("link", name="Revoke plain").click()
        page.get_by_role("button", name="Revoke key").click()
        expect(page.locator("#over")).to_contain_text("plain")
        eventually(lambda: site.ping(secret) == UNAUTHORIZED, FELT)


@pytest.mark.usefixtures("background")
class TestColleague:
    def test_is_invited_may_look_but_not_change_and_is_removed(self, site: Site, windows: Windows) -> None:
        place, email = site.world.lagoon, "zoe@partner.example"
        page, hers = windows.of(place.owner), windows.stranger()
        page.goto(f"{place.home}members/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Role", exact=True).select_option("viewer")
        page.get_by_role("button", name="Invite", exact=True).click()
        expect(page.locator("#invitations")).to_contain_text(email)
        eventually(lambda: mailed_link(site, email))
        page.reload()
        expect(page.locator("#invitations")).to_contain_text("Mailed Today")

        link = mailed_link(site, email)
        hers.goto(link)
        expect(hers.get_by_role("heading", level=1)).to_have_text("Join Lagoon Books")
        hers.get_by_label("Your name").fill("Zoe Zander")
        hers.get_by_label("New password").fill(NEW_PASSWORD)
        hers.get_by_label("The same again").fill(NEW_PASSWORD)
        hers.get_by_role("button", name="Set password and join").click()
        expect(hers).to_have_url(f"{site.url}{place.home}")
        for part, button in (("keys/", "Create key"), ("members/", "Invite"), ("alerts/", "Save thresholds")):
            hers.goto(f"{place.home}{part}")
            expect(hers.get_by_role("heading", level=1)).to_be_visible()
            expect(hers.get_by_role("button", name=button)).to_have_count(0)
        assert windows.refused(windows.stranger(), link) == 410

        page.goto(f"{place.home}members/")
        expect(page.locator("#members")).to_contain_text("Zoe Zander")
        page.get_by_role("link", name="Remove Zoe Zander").click()
        page.get_by_role("button", name="Remove").click()
        expect(page.locator("#banner")).to_contain_text("Zoe Zander was removed")
        assert windows.refused(hers, f"{place.home}keys/") == NOT_FOUND
        again = windows.stranger()
        sign_in(again, email, NEW_PASSWORD)
        expect(again.get_by_role("heading", level=1)).to_have_text("You don’t belong to an organisation yet.")


class TestZone:
    def test_is_found_by_typing_and_shown_in(self, site: Site, windows: Windows) -> None:
        page, place = windows.of(site.world.lagoon.viewer), site.world.lagoon
        page.goto(f"{place.home}settings/")
        field = page.get_by_label("Your time zone")
        field.press_sequentially("tok")
        expect(page.locator("#zones option[value='Asia/Tokyo']")).to_have_count(1)
        field.fill("Asia/Tokyo")
        page.get_by_role("button", name="Save my time zone").click()
        expect(page.locator("#zone")).to_contain_text("Asia/Tokyo.")
        page.goto(place.home)
        expect(page.locator("#counted")).to_contain_text("JST")
        expect(page.locator(".top")).to_contain_text("(UTC)")
