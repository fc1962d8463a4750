"""All tenants by risk: order, paging both ways, search, filters, figures, and how many queries that takes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries, Settings

from billing.models import Allocation, CostShare, Metric, Plan
from tenants.models import Tenant
from tests.usage.standing import AT, slugs, standing
from usage.models import Delivery, Standing
from usage.reports import overview, overview_tiles
from usage.reports.overview_choice import ORDERS, Filters
from usage.reports.overview_rows import ago

pytestmark = pytest.mark.django_db


class TestOrder:
    def test_is_by_risk_and_then_by_id(self) -> None:
        for slug, risk in (("a", 10), ("b", 119), ("c", 80), ("d", 80)):
            standing(slug, risk)
        assert slugs(overview(at=AT)) == ["b", "c", "d", "a"]

    def test_leaves_out_closed_tenants_unless_they_are_searched(self) -> None:
        standing("gone", 100, status="closed")
        assert slugs(overview(at=AT)) == []
        assert overview(at=AT).summary.tenants == 0
        assert [(row.slug, row.status) for row in overview(Filters(query="gone"), at=AT).rows] == [
            ("gone", "Closed")
        ]


class TestSearch:
    @pytest.fixture(autouse=True)
    def _tenants(self) -> None:
        standing("northwind-labs", 82, name="Northwind Labs")
        standing("blue-heron", 86, name="Blue Heron Health")
        standing("acme-io", 10, name="Acme.io (Team-2)")
        standing("muller", 0, name="Müller & Söhne")

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("northwind", ["northwind-labs"]),
            ("NORTH", ["northwind-labs"]),
            ("labs", ["northwind-labs"]),
            ("northwind-la", ["northwind-labs"]),
            ("labs north", ["northwind-labs"]),
            ("heal", ["blue-heron"]),
            ("acme.io", ["acme-io"]),
            ("team-2", ["acme-io"]),
            ("müll", ["muller"]),
            ("  blue  ", ["blue-heron"]),
            ("wind", []),
            ("northwind heron", []),
            ("!!!", []),
            ("' | '", []),
            ("a' & b:*", []),
            ("north\0wind", []),
            ("9" * 40, []),
        ],
    )
    def test_finds_how_words_begin(self, query: str, found: list[str]) -> None:
        assert slugs(overview(Filters(query=query), at=AT)) == found

    def test_finds_an_id(self) -> None:
        tenant = Tenant.objects.get(slug="blue-heron")
        assert "blue-heron" in slugs(overview(Filters(query=str(tenant.pk)), at=AT))

    def test_uses_the_index(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            plan = Tenant.objects.matching("north").explain()
        assert "tenant_words" in plan


class TestFilters:
    @pytest.fixture(autouse=True)
    def _tenants(self) -> None:
        standing("a", 100, plan="free")
        standing("b", 119, plan="pro", worst="storage", state="over")
        standing("c", 85, plan="pro", last_used=AT - timedelta(hours=25))
        standing("d", 10, plan="pro", last_used=None)

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"plan": "pro"}, ["b", "c", "d"]),
            ({"state": "full"}, ["a"]),
            ({"state": "over"}, ["b"]),
            ({"state": "silent"}, ["c", "d"]),
            ({"metric": "storage"}, ["b"]),
            ({"plan": "pro", "state": "near"}, ["c"]),
            ({"plan": "pro", "query": "d"}, ["d"]),
            ({"state": "limit"}, ["b", "a"]),
            ({"state": "high"}, ["b", "a", "c"]),
            ({"state": "limit", "plan": "free"}, ["a"]),
            ({"plan": "gone", "state": "odd", "metric": "none"}, ["b", "a", "c", "d"]),
        ],
    )
    def test_narrow_the_list(self, asked: dict[str, str], found: list[str]) -> None:
        assert slugs(overview(Filters(**asked), at=AT)) == found

    def test_find_who_is_forecast_to_exceed(self) -> None:
        standing("e", 104, fill=60, forecast=104, runs_out=date(2026, 11, 27))
        assert slugs(overview(Filters(state="exceeds"), at=AT)) == ["e"]

    def test_find_who_was_below_cost_in_the_last_month_that_was_divided(self) -> None:
        for slug, month, margins in (("x", 9, {"a": -5, "b": 5}), ("y", 10, {"a": 5, "b": -5, "c": -1})):
            divided = Allocation.objects.create(month=date(2026, month, 1), made_at=AT, note=slug)
            for of, margin in margins.items():
                CostShare.objects.create(
                    allocation=divided, tenant=Tenant.objects.get(slug=of), margin=Decimal(margin)
                )
        assert slugs(overview(Filters(state="below"), at=AT)) == ["b", "c"]
        rows = {row.slug: (row.margin, row.is_below_cost) for row in overview(at=AT).rows}
        assert rows == {
            "a": ("$5.00", False),
            "b": ("−$5.00", True),
            "c": ("−$1.00", True),
            "d": ("–", False),
        }

    def test_stand_in_the_address(self) -> None:
        page = overview(Filters(query="a b", plan="pro", state="odd"), size=1, at=AT)
        assert page.address == "?q=a+b&plan=pro"
        assert overview(at=AT).address == ""
        assert overview(Filters(sort="name", state="below"), at=AT).address == "?state=below&sort=name"
        assert (
            overview(Filters(sort="risk"), at=AT).address
            == overview(Filters(sort="odd"), at=AT).address
            == ""
        )
        first = overview(Filters(plan="pro"), size=1, at=AT)
        assert first.next_address.startswith("?plan=pro&after=")


class TestFigures:
    def test_are_of_all_tenants_whatever_the_list_is_narrowed_to(self) -> None:
        standing("a", 100, refused=5)
        standing("b", 119, state="over")
        standing("c", 85, refused=2)
        standing("d", 10)
        standing("e", 104, fill=20, forecast=104, runs_out=date(2026, 11, 27), state="near")
        standing("f", 30, state="full")  # by a spend cap
        standing("g", 100, status="closed")
        figures = overview(Filters(plan="pro"), at=AT).summary
        assert (figures.tenants, figures.stopped, figures.over, figures.at_limit) == (6, 2, 1, 3)
        assert (figures.high, figures.exceeding, figures.first_out) == (3, 1, date(2026, 11, 27))
        assert overview(at=AT).first_out == "first on 27 Nov"

    def test_are_the_same_where_the_number_of_tenants_is_remembered(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        monkeypatch.setattr(overview_tiles, "MANY", 1)
        standing("a", 100)
        standing("b", 30, state="full")
        standing("c", 10)
        first, second = overview(at=AT).summary, overview(at=AT).summary
        assert first == second
        standing("d", 85)
        third = overview(at=AT).summary
        assert (third.tenants, third.high, third.stopped) == (3, 2, 2)

    def test_count_deliveries_that_failed_and_not_those_that_wait(self, tenant: Tenant) -> None:
        for status, attempts, error in (
            ("dead", 10, "gone"),
            ("waiting", 2, "HTTP 500"),
            ("waiting", 0, ""),
            ("sent", 1, ""),
        ):
            Delivery.objects.create(
                tenant=tenant,
                channel="email",
                target="a@b.example",
                status=status,
                attempts=attempts,
                error=error,
                due_at=AT,
                created_at=AT,
            )
        figures = overview(at=AT).summary
        assert (figures.failing, figures.dead, figures.retried, figures.is_more_failing) == (2, 1, 1, False)

    def test_of_nobody_are_nothing(self) -> None:
        figures = overview(at=AT).summary
        assert (figures.tenants, figures.at_limit, figures.failing) == (0, 0, 0)
        assert overview(at=AT).first_out == "by the end of their periods"

    def test_of_a_row_are_in_words(self) -> None:
        standing(
            "b", 119, plan="pro", state="over", overage=Decimal("313.355"), last_used=AT - timedelta(hours=3)
        )
        (row,) = overview(at=AT).rows
        assert (row.plan, row.metric, row.percent, row.overage) == ("Pro", "API calls", "119", "$313.36")
        assert (row.look.code, row.look.word, row.last_used) == ("over", "Over · billed", "3 h")
        assert row.spoken == "API calls: 119 % used"

    def test_of_a_row_show_what_is_forecast(self) -> None:
        standing("b", 108, fill=79, forecast=108, state="near", plan="pro", runs_out=date(2026, 11, 28))
        (row,) = overview(at=AT).rows
        assert (row.percent, row.forecast, row.runs_out, row.runs_out_of) == ("79", "108", "28 Nov", "")
        assert (row.bar.ghost, row.bar.beyond, row.bar.cast, row.bar.hatch) == ("15.75", "6", "81", "h-bill")
        assert row.spoken == "API calls: 79 % used, forecast 108 %"

    def test_of_a_row_name_what_runs_out_beside_the_worst_and_no_day_that_is_over(self) -> None:
        storage = Metric.objects.get(code="storage")
        standing("b", 100, runs_out=date(2026, 11, 20), runs_out_of=storage)
        (row,) = overview(at=AT).rows
        assert (row.runs_out, row.runs_out_of, row.bar.hatch) == ("23 Nov", "Storage", "h-stop")

    def test_say_so_where_what_goes_beyond_is_free(self) -> None:
        standing("b", 119, plan="pro", worst="users", state="over")
        assert overview(at=AT).rows[0].look.word == "Over · not charged"

    def test_of_an_unlimited_tenant_have_no_metric(self) -> None:
        standing("a").delete()
        tenant = Tenant.objects.get()
        Standing.objects.create(
            tenant=tenant,
            plan=Plan.objects.get(slug="pro"),
            period=AT.date(),
            period_ends=AT,
            counted_at=AT,
        )
        assert overview(at=AT).rows[0].metric == ""

    @pytest.mark.parametrize(
        ("back", "words"),
        [
            (timedelta(seconds=59), "under 1 min"),
            (timedelta(seconds=60), "1 min"),
            (timedelta(minutes=59, seconds=59), "59 min"),
            (timedelta(hours=23), "23 h"),
            (timedelta(days=2), "2 d"),
            (timedelta(seconds=-5), "under 1 min"),
        ],
    )
    def test_say_how_long_ago(self, back: timedelta, words: str) -> None:
        assert ago(AT - back, AT) == words


class TestVersion:
    def test_stays_while_nothing_shown_changes(self) -> None:
        one = standing("a", 50)
        before = overview(at=AT).version
        one.counted_at = AT + timedelta(seconds=20)
        one.save()
        assert overview(at=AT + timedelta(seconds=20)).version == before

    @pytest.mark.parametrize(
        "change", [{"risk": 51, "fill": 51}, {"forecast": 60}, {"refused": 1}, {"overage": 2}]
    )
    def test_changes_with_what_is_shown(self, change: dict[str, int]) -> None:
        standing("a", 50)
        before = overview(at=AT).version
        Standing.objects.update(**change)
        assert overview(at=AT).version != before


class TestQueries:
    def test_are_as_many_for_a_thousand_as_for_one(
        self, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(60):
            standing(f"t{n}", n * 2, state="over", plan="pro")
        page = overview(size=20, at=AT)
        narrow = (Filters(query="t"), Filters(plan="pro", state="over"), Filters(state="below"))
        for asked in (*narrow, *(Filters(sort=sort) for sort in ORDERS)):
            with django_assert_max_num_queries(8):
                overview(asked, size=20, at=AT)
        with django_assert_max_num_queries(8):
            overview(size=20, after=page.next, at=AT)
