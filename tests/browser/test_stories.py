"""What people come for, from the question to what has changed: each story on the real programs, in a real browser."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.billing.focus_files import bill
from tests.browser.letters import letters
from tests.browser.site import Site, eventually
from tests.browser.window import Windows
from tests.browser.world import STAFF

pytestmark = pytest.mark.usefixtures("background")

OK, CREATED, TOO_MANY = 200, 201, 429
FELT = 30.0  # seconds; two are promised, of a machine that has nothing else to do
DIVIDED = 90_000  # ms; bills are divided every 15 seconds


def amount(text: str) -> Decimal:
    """Money as a page writes it."""
    return Decimal(re.sub(r"[^\d.−-]", "", text).replace("−", "-") or "0")


def calls_until_refused(site: Site, key: str) -> int:
    """How many calls are answered before the first that is not."""
    return next(number for number in range(1_000) if site.ping(key) == TOO_MANY)


def downloaded(page: Page, link: str) -> str:
    """The text of the file behind a link."""
    with page.expect_download() as got:
        page.locator(link).click()
    return Path(got.value.path()).read_text(encoding="utf-8")


class TestOwner:
    def test_finds_out_why_calls_are_refused_and_raises_the_cap(self, site: Site, windows: Windows) -> None:
        place = site.world.granite
        page = windows.of(place.owner)
        eventually(lambda: site.ping(place.key) == TOO_MANY, FELT)
        page.goto(place.home)
        expect(page.locator("#verdict")).to_contain_text("The spend cap stops calls beyond what Pro includes")
        page.get_by_role("link", name="Cost", exact=True).click()
        expect(page.locator("#cap")).to_contain_text("Spend cap")
        page.get_by_label("Amount for this and later periods").fill("25.00")
        page.get_by_role("button", name="Save cap").click()
        expect(page.locator("#cap")).to_contain_text("Saved. It acts within two seconds.")
        eventually(lambda: site.ping(place.key) == OK, FELT)
        page.goto(place.home)
        expect(page.locator("#verdict h1")).to_have_text("Past the calls that Pro includes; more is billed.")

    def test_asks_to_be_told_at_85_percent_of_storage_and_is(self, site: Site, windows: Windows) -> None:
        place = site.world.orchard
        page = windows.of(place.owner)
        page.goto(f"{place.home}alerts/")
        page.get_by_label("Storage like all").uncheck()
        page.get_by_label("Storage own values").fill("85")
        page.get_by_role("button", name="Save thresholds").click()
        expect(page.locator("#banner")).to_contain_text("Saved.")
        expect(page.get_by_label("Storage own values")).to_have_value("85")
        assert site.put(place.key, "/demo/api/files/pears.csv", 400_000) == CREATED
        eventually(lambda: any("85 %" in one for one in letters(site, place.owner)))
        told = next(one for one in letters(site, place.owner) if "85 %" in one)
        assert "torage" in told.splitlines()[0]
        page.goto(place.home)
        expect(page.locator("#alerts")).to_contain_text("85 %")

    def test_gets_the_bill_as_the_file_that_equals_the_page(self, site: Site, windows: Windows) -> None:
        place = site.world.meadow
        page = windows.of(place.owner)
        page.goto(f"{place.home}cost/")
        shown = {
            body.locator("th").first.inner_text().splitlines()[0].strip(): amount(
                body.locator("tr").first.locator("td").last.inner_text()
            )
            for body in page.locator("#lines tbody").all()
        }
        total = amount(page.locator("#lines tfoot td").inner_text())
        rows = list(csv.DictReader(io.StringIO(downloaded(page, "#go-csv"))))
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            if row["line"] in ("base fee", "usage"):
                sums[f"{row['name']}{' plan' * (row['line'] == 'base fee')}"] += Decimal(row["amount"])
        assert {name: sums[name] for name in shown} == shown
        assert [Decimal(row["amount"]) for row in rows if row["line"] == "total"] == [total]
        assert sum(shown.values()) == total

    def test_gets_a_metric_as_the_file_that_equals_the_page(self, site: Site, windows: Windows) -> None:
        place = site.world.meadow
        page = windows.of(place.viewer)
        page.goto(f"{place.home}metrics/api_calls/?range=30d")
        page.get_by_text("Show the data as a table").click()
        heads = page.locator("#chart-table thead th").all_inner_texts()[1:]
        shown = [
            [row.locator("time").get_attribute("datetime"), *map(amount, row.locator("td").all_inner_texts())]
            for row in page.locator("#chart-table tbody tr").all()
        ]
        lines = list(csv.reader(io.StringIO(downloaded(page, "#csv"))))
        first = next(number for number, line in enumerate(lines) if line[:2] == ["day", "is"])
        assert lines[first][2 : 2 + len(heads)] == heads
        rows = lines[first + 1 : first + 1 + len(shown)]
        assert [[row[0], *(Decimal(cell or 0) for cell in row[2 : 2 + len(heads)])] for row in rows] == shown
        assert len(shown) == 30


class TestOperations:
    def test_find_who_will_exceed_grant_10_percent_more_and_see_it_enforced(
        self, site: Site, windows: Windows
    ) -> None:
        place, page = site.world.willow, windows.of(STAFF)
        page.goto("/staff/tenants/")
        page.locator("#go-exceeds").click()
        expect(page).to_have_url(re.compile("state=exceeds"))
        page.get_by_role("link", name="Willow Books").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Willow Books")
        assert calls_until_refused(site, place.key) == 10
        page.get_by_label("Of", exact=True).select_option(label="API calls")
        page.get_by_label("How much more").fill("10 %")
        page.get_by_label("Reason").fill("launch week")
        page.get_by_role("button", name="Give it").click()
        expect(page.locator("#banner")).to_contain_text("API calls")
        eventually(lambda: site.ping(place.key) == OK, FELT)
        assert calls_until_refused(site, place.key) == 99
        page.goto(f"{place.home}why/")
        expect(page.locator("main")).to_contain_text("launch week")

    def test_import_a_bill_and_find_who_is_below_cost(self, site: Site, windows: Windows) -> None:
        page, first = windows.of(STAFF), f"{timezone.now():%Y-%m}-01T00:00:00Z"
        days = {
            "ChargePeriodStart": first,
            "BillingPeriodStart": first,
            "ChargePeriodEnd": "",
            "BillingPeriodEnd": "",
        }
        row = {**days, "ServiceName": "Compute cluster", "BilledCost": "90000", "EffectiveCost": "90000"}
        page.goto("/staff/imports/")
        page.locator("#file").set_input_files(
            {"name": "now.csv", "mimeType": "text/csv", "buffer": bill(row)}
        )
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("$90,000.00")
        page.get_by_role("button", name="Yes, import").click()
        expect(page.locator("#banner")).to_contain_text("1 bill was imported: AWS")
        eventually(lambda: "90,350.55" in _tiles(page), DIVIDED / 1000)
        page.locator("#only").select_option(label="Below cost")
        expect(page).to_have_url(re.compile("only=below"))
        below = page.locator("#rows tbody tr").filter(has_text="Meadow Books")
        expect(below).to_have_count(1)
        expect(below.locator(".neg").first).to_contain_text("−")


def _tiles(page: Page) -> str:
    page.goto("/staff/costs/")
    return page.locator("#tiles").inner_text()
