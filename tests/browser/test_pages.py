"""Every page in a real browser: on a desk and on a phone, with scripts and without, and what it must not show."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.billing.focus_files import bill
from tests.browser.site import Site
from tests.browser.window import DESK, PHONE, Windows, sign_in
from tests.browser.world import STAFF

TENANT = (
    "",
    "metrics/",
    "metrics/storage/",
    "metrics/users/?range=30d",
    "metrics/bandwidth/",
    "cost/",
    "plan/",
    "alerts/",
    "keys/",
    "members/",
    "settings/",
    "why/",
    "statements/",
)
OPERATIONS = (
    "/staff/tenants/",
    "/staff/tenants/?state=over",
    "/staff/inbox/",
    "/staff/deliveries/",
    "/staff/costs/",
    "/staff/imports/",
    "/staff/health/",
    "/t/quarry/",
    "/t/meadow/plan/",
)
ADMIN = (
    "/admin/",
    "/admin/billing/plan/",
    "/admin/billing/costbill/add/",
    "/admin/billing/costrule/",
    "/admin/billing/costrule/test/",
    "/admin/billing/costrule/add/",
    "/admin/tenants/tenant/",
    "/admin/tenants/apikey/add/",
    "/admin/usage/delivery/",
    "/admin/password_change/",
)
OUTSIDE = ("/sign-in/", "/password/reset/", "/password/reset/sent/", "/password/reset/complete/")
MONEY = re.compile(r"[$€]|USD|\b\d+\.\d\d\b")


def visit(page: Page, path: str) -> None:
    """Open it at both widths: it answers, has one heading, and nothing sticks out at its side."""
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        answer = page.goto(path)
        assert answer, path
        assert answer.status == 200, path
        expect(page.locator("h1")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], f"{path} at {size}"


def priced(page: Page, home: str) -> list[str]:
    """Which of a tenant's pages speak of money."""
    found = []
    for part in ("", "metrics/api_calls/", "plan/", "alerts/"):
        page.goto(f"{home}{part}")
        if MONEY.search(page.locator("body").inner_text()):
            found.append(part)
    return found


class TestPages:
    """`windows` fails where one asks another host, a script has an error, or the policy forbids something."""

    def test_of_a_tenant(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.meadow.owner)
        for part in TENANT:
            visit(page, f"{site.world.meadow.home}{part}")
        statement = page.locator("#statements a").first.get_attribute("href")
        assert statement
        visit(page, statement)
        expect(page.locator("#lines tfoot")).to_contain_text("$")
        page.emulate_media(media="print", color_scheme="dark")
        expect(page.locator("body")).to_have_css("color", "rgb(18, 22, 28)")
        for screen in (".top", ".btn", ".crumb", ".foot"):
            expect(page.locator(screen).first).to_be_hidden()
        sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))
        assert len(sheets) == 1

    def test_of_operations(self, windows: Windows) -> None:
        page = windows.of(STAFF)
        for path in OPERATIONS:
            visit(page, path)

    def test_of_the_admin(self, windows: Windows) -> None:
        page = windows.of(STAFF)
        for path in ADMIN:
            answer = page.goto(path)
            assert answer, path
            assert answer.status == 200, path

    def test_around_signing_in(self, windows: Windows) -> None:
        page = windows.stranger()
        for path in OUTSIDE:
            visit(page, path)

    def test_that_do_not_exist(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.meadow.owner)
        assert windows.refused(page, site.world.quarry.home) == 404
        expect(page.get_by_role("heading", level=1)).to_be_visible()


class TestViewer:
    def test_sees_no_money_where_the_owner_does(self, site: Site, windows: Windows) -> None:
        place = site.world.meadow
        assert priced(windows.of(place.owner), place.home) == ["", "metrics/api_calls/", "plan/"]
        assert priced(windows.of(place.viewer), place.home) == []


class TestWithoutScript:
    """Pages are links and forms; scripts only replace parts of them."""

    def test_an_owner_signs_in_asks_for_a_plan_and_signs_out(self, site: Site, windows: Windows) -> None:
        page, place = windows.stranger(java_script_enabled=False), site.world.quarry
        sign_in(page, place.owner)
        expect(page).to_have_url(f"{site.url}{place.home}")
        page.get_by_role("button", name="Live").click()
        expect(page.get_by_role("button", name="Paused")).to_be_visible()
        page.get_by_role("link", name="See plans").click()
        page.locator("#go-pro").click()
        expect(page.locator("#banner")).to_contain_text("Asked for Pro.")
        expect(page.get_by_text("Asked, waiting")).to_be_visible()
        page.locator("summary").filter(has_text="Account: Owner Quarry").click()
        page.get_by_role("button", name="Dark theme").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.locator("summary").filter(has_text="Account: Owner Quarry").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(f"{site.url}/sign-in/")

    def test_an_owner_caps_what_is_billed_and_chooses_when_to_be_told(
        self, site: Site, windows: Windows
    ) -> None:
        place = site.world.meadow
        page = windows.of(place.owner, java_script_enabled=False)
        windows.expected.add(f"{site.url}{place.home}cost/cap/")  # 422, for what is no amount
        page.goto(f"{place.home}cost/")
        page.get_by_label("Notify at").check()
        page.get_by_label("Amount for this and later periods").fill("much")
        page.get_by_role("button", name="Save cap").click()
        expect(page.locator("#amount-error")).to_be_visible()
        page.get_by_label("Amount for this and later periods").fill("990")
        page.get_by_role("button", name="Save cap").click()
        expect(page.get_by_label("Notify at")).to_be_checked()
        expect(page.get_by_label("Amount for this and later periods")).to_have_value("990.00")
        page.get_by_role("link", name="Alerts", exact=True).click()
        page.get_by_label("All metrics own values").fill("120")
        page.get_by_role("button", name="Save thresholds").click()
        expect(page.locator("#banner")).to_contain_text("Saved.")
        expect(page.get_by_label("All metrics own values")).to_have_value("120")

    def test_operations_find_a_tenant_and_mark_what_they_have_seen(
        self, site: Site, windows: Windows
    ) -> None:
        asker, page = windows.of(site.world.harbor.owner), windows.of(STAFF, java_script_enabled=False)
        asker.goto(f"{site.world.harbor.home}plan/")
        asker.locator("#go-starter").click()
        expect(asker.get_by_text("Asked, waiting")).to_be_visible()
        page.goto("/staff/tenants/")
        page.get_by_label("Search by name, slug or id").fill("meadow")
        page.get_by_label("Search by name, slug or id").press("Enter")
        expect(page.locator("#rows tbody tr")).to_have_count(1)
        page.goto("/staff/inbox/")
        wish = page.locator("#notices li").filter(has_text="Harbor Books asks for Starter.")
        wish.get_by_role("button", name="Seen").click()
        expect(wish).to_contain_text("seen by Sam")

    def test_operations_look_at_a_bill_and_import_it(self, windows: Windows) -> None:
        page, buffer = windows.of(STAFF, java_script_enabled=False), bill({}, {"EffectiveCost": "1234.5"})
        page.goto("/staff/imports/")
        page.locator("#file").set_input_files({"name": "oct.csv", "mimeType": "text/csv", "buffer": buffer})
        page.get_by_role("button", name="Preview").click()
        visit(page, page.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("2 rows, $1,242.50: import them?")
        page.get_by_role("button", name="Yes, import").click()
        expect(page.locator("#banner")).to_contain_text("1 bill was imported: AWS, 2026-10.")
        expect(page.locator("#rows tbody tr").filter(has_text="AWS")).to_have_count(1)
