"""A metric's page as its readers get it: parts, addresses, days of one's own, a metric the plan lacks, the file."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import Allowance, Metric
from tenants.models import Tenant
from tests.conftest import MakeTenant, MakeUser
from tests.usage.billed import store
from tests.usage.counted import refuse, see, use, use_daily
from tests.usage.pages import HTMX, address, swapped, text
from usage import units
from usage.reports import delays

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

CODES = ["api_calls", "storage", "users", "bandwidth"]


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    return make_tenant("acme", "pro")


@pytest.fixture
def browser(make_user: MakeUser, client_for: Callable[..., Client], pro: Tenant) -> Client:
    return client_for(make_user("olga@acme.example", "owner", pro))


@pytest.fixture
def busy(pro: Tenant) -> Tenant:
    """Every kind of metric was used, over forty days and today, under several labels."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    for code, amount in (("api_calls", 1_234), ("bandwidth", 1_234_567)):
        use_daily(pro, code, amount, days=40, at=now)
        use(pro, code, amount, at=now, label="GET /b")
        use(pro, code, amount * 2, at=now, label="=cmd|calc!A1")
    store(pro, *((hour - timedelta(days=20 - n), 100 * (n + 1)) for n in range(20)))
    see(pro, "ann", "bob", at=now - timedelta(days=1))
    refuse(pro, "api_calls", 7, at=now, cause="burst")
    return pro


def page(browser: Client, tenant: Tenant, code: str = "api_calls", **asked: Any) -> str:
    answer = browser.get(address(tenant, "metric", code=code), asked)
    assert answer.status_code == 200
    return " ".join(text(answer).split())


def lines(browser: Client, tenant: Tenant, code: str = "api_calls", **asked: Any) -> list[list[str]]:
    answer = browser.get(address(tenant, "metric_csv", code=code), asked)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(text(answer), newline="")))


def shown(html: str) -> list[list[str]]:
    """The heads and rows of the chart's table, as they are read."""
    table = html[html.index('id="chart-table"') : html.index("</details>", html.index('id="chart-table"'))]
    rows = re.findall(r"<tr\b.*?</tr>", table)
    return [
        [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd]\b.*?</t[hd]>", row)]
        for row in rows
    ]


def tables(found: list[list[str]]) -> list[list[list[str]]]:
    """The parts of the file between its empty lines."""
    parts: list[list[list[str]]] = [[]]
    for line in found:
        if any(line):
            parts[-1].append(line)
        else:
            parts.append([])
    return parts


class TestWindow:
    def test_is_swapped_with_all_that_depends_on_it(self, browser: Client, busy: Tenant) -> None:
        answer = browser.get(
            address(busy, "metric", code="api_calls"), {"range": "24h", "view": "total"}, headers=HTMX
        )
        assert swapped(answer) == {"ranges", "csv", "kept", "method", "breakdown", "refusals"}
        html = text(answer)
        assert "Use by hour" in html
        assert "?range=24h&amp;view=total" in html
        assert "figures" not in html

    def test_is_kept_by_every_link(self, browser: Client, busy: Tenant) -> None:
        html = page(browser, busy, range="7d", view="total", label="GET /b")
        assert 'href="?range=30d&amp;view=total&amp;label=GET+%2Fb"' in html
        assert 'name="label" value="GET /b"' in html
        assert (
            f"{address(busy, 'metric_csv', code='api_calls')}?range=7d&amp;view=total&amp;label=GET+%2Fb"
            in html
        )

    def test_of_ones_own_shows_its_days(self, browser: Client, busy: Tenant) -> None:
        today = timezone.now().date()
        first = today - timedelta(days=9)
        html = page(browser, busy, range="custom", **{"from": str(first), "until": str(today)})
        assert len(shown(html)) == 11
        assert f'value="{first}"' in html

    def test_that_is_wrong_says_so_beside_the_field_and_shows_the_period(
        self, browser: Client, busy: Tenant
    ) -> None:
        html = page(
            browser, busy, range="custom", view="total", **{"from": "2026-11-20", "until": "2026-11-10"}
        )
        field = html[html.index('id="id_until"') :]
        assert field.index("The last day is before the first.") < field.index("Show range")
        assert re.search(r'<input[^>]*name="until"[^>]*aria-invalid="true"', html)
        assert re.search(r'<details class="menu r" id="custom" open', html)
        assert 'value="2026-11-20"' in html
        assert re.search(r'id="go-period"[^>]*aria-current="true"', html)
        assert 'name="view" value="total"' in html

    def test_of_one_label_says_what_is_left_out(self, browser: Client, busy: Tenant) -> None:
        html = page(browser, busy, label="GET /b")
        assert "Only <b>GET /b</b> is shown." in html
        assert 'class="limit"' not in html.split('id="chart"')[1]
        assert 'class="cast"' not in html.split('id="chart"')[1]

    @pytest.mark.parametrize("label", ["<script>alert(1)</script>", "\x00", "x" * 5_000])
    def test_of_a_label_that_is_none_shows_nothing_and_breaks_nothing(
        self, browser: Client, busy: Tenant, label: str
    ) -> None:
        html = page(browser, busy, label=label)
        assert "This label was not used in this time." in html
        assert "<script>alert" not in html

    @pytest.mark.parametrize("code", CODES)
    def test_without_use_says_what_will_be_there(self, browser: Client, pro: Tenant, code: str) -> None:
        html = page(browser, pro, code, range="24h")
        assert "Nothing was counted in this time." in html
        assert "No label was used in this time." in html
        assert "No request was refused in this time." in html


@pytest.mark.usefixtures("patient")  # without live counts there is more to read
class TestCosts:
    @pytest.mark.parametrize("code", CODES)
    @pytest.mark.parametrize("window", ["period", "24h", "90d"])
    def test_few_queries_for_every_kind(
        self,
        browser: Client,
        busy: Tenant,
        code: str,
        window: str,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        page(browser, busy, code, range=window)
        delays.forget()  # is asked once a second
        with django_assert_max_num_queries(12):
            page(browser, busy, code, range=window)


class TestMetricThePlanLacks:
    @pytest.fixture
    def lacking(self, pro: Tenant) -> Tenant:
        Allowance.objects.filter(plan__slug="pro", metric__code="bandwidth").delete()
        Allowance.objects.filter(plan__slug="free", metric__code="bandwidth").delete()
        return pro

    def test_says_which_plans_have_it(self, browser: Client, lacking: Tenant) -> None:
        html = page(browser, lacking, "bandwidth")
        assert "Bandwidth is not in the plan Pro." in html
        assert "<dt>Starter</dt> <dd>10 GB of bandwidth</dd>" in html
        assert "<dt>Free</dt>" not in html
        assert f'href="{address(lacking, "plan")}"' in html

    def test_says_where_no_plan_has_it(self, browser: Client, lacking: Tenant) -> None:
        Metric.objects.create(code="rides", name="Rides", noun="rides", kind="sum")
        html = page(browser, lacking, "rides")
        assert "Rides are not in the plan Pro." in html
        assert "No plan on offer has it just now." in html

    def test_has_no_file(self, browser: Client, lacking: Tenant) -> None:
        assert browser.get(address(lacking, "metric_csv", code="bandwidth")).status_code == 404

    def test_that_nobody_has_is_not_found(self, browser: Client, lacking: Tenant) -> None:
        assert browser.get(address(lacking, "metric", code="gold")).status_code == 404


class TestFile:
    @pytest.mark.parametrize("code", CODES)
    @pytest.mark.parametrize(
        "asked", [{}, {"range": "7d", "view": "total"}, {"range": "24h"}, {"range": "30d", "label": "GET /b"}]
    )
    def test_equals_the_page(self, browser: Client, busy: Tenant, code: str, asked: dict[str, str]) -> None:
        metric, html = Metric.objects.get(code=code), page(browser, busy, code, **asked)
        _about, (names, *written), *_rest = tables(lines(browser, busy, code, **asked))
        if 'id="chart-table"' not in html:  # a label that this metric was not used under
            assert {line[2] for line in written} == {"0"}
            return
        head, *rows = shown(html)
        width = len(head) + 1
        assert [name.removeprefix("'") for name in names[2:width]] == head[1:]
        assert len(written) == len(rows)
        for line, row in zip(written, rows, strict=True):
            assert [units.number(metric, int(cell)) if cell else "–" for cell in line[2:width]] == row[1:]
            assert ("forecast" in row[0]) == (line[1] == "forecast")

    def test_says_what_it_is(self, browser: Client, busy: Tenant) -> None:
        about = {line[0]: line[1] for line in tables(lines(browser, busy, "storage", range="7d"))[0]}
        assert (about["tenant"], about["metric"], about["unit"]) == ("acme", "storage", "bytes")
        assert (about["window"], about["time_zone"], about["label"]) == ("7d", "UTC", "all")
        assert about["starts"].endswith("T00:00:00Z")

    def test_has_labels_and_refusals_as_the_page(self, browser: Client, busy: Tenant) -> None:
        _about, _table, labels, refusals = tables(lines(browser, busy, range="24h"))
        assert [line[:2] for line in labels[1:]] == [
            ["'=cmd|calc!A1", "2468"],
            ["GET /b", "1234"],
            ["GET /ping", "1234"],
        ]
        assert [line[1:3] for line in refusals[1:]] == [["burst", "7"]]

    def test_has_no_formulas_and_lines_of_one_width(self, browser: Client, busy: Tenant) -> None:
        found = lines(browser, busy, range="24h", label="=cmd|calc!A1")
        assert not any(cell.startswith(("=", "+", "-", "@")) for line in found for cell in line)
        assert len({len(line) for line in found}) == 1
