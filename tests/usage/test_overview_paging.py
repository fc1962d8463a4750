"""Paging through all tenants: complete and stable both ways, also where many share their risk."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.usage.standing import AT, slugs, standing
from usage.models import Standing
from usage.reports import Overview, overview
from usage.reports.overview_choice import ORDERS, Filters

pytestmark = pytest.mark.django_db

MOST_PAGES = 30


def forward(size: int, after: str | None = None, **asked: str) -> Iterable[Overview]:
    """The page after each other, from the cursor on."""
    page = overview(Filters(**asked), size=size, after=after, at=AT)
    yield page
    for _ in range(MOST_PAGES):
        if page.next is None:
            return
        page = overview(Filters(**asked), size=size, after=page.next, at=AT)
        yield page
    pytest.fail("The pages have no end.")


class TestPaging:
    @pytest.fixture(autouse=True)
    def _tenants(self) -> None:
        """23 tenants in six groups that share their risk, in no order of ids."""
        for n in range(23):
            standing(f"t{n}", [0, 80, 100, 0, 40, 80, 119, 0][n % 8])

    @pytest.mark.parametrize("size", [1, 2, 5, 7, 22, 23, 50])
    def test_shows_each_tenant_once(self, size: int) -> None:
        pages = [slugs(page) for page in forward(size)]
        everything = slugs(overview(size=100, at=AT))
        assert [slug for page in pages for slug in page] == everything
        assert {len(page) for page in pages[:-1]} <= {size}

    @pytest.mark.parametrize("size", [1, 2, 5, 7, 22, 23])
    def test_goes_back_over_the_same_pages(self, size: int) -> None:
        pages = list(forward(size))
        back, page = [pages[-1]], pages[-1]
        while page.previous and len(back) < MOST_PAGES:
            page = overview(size=size, after=page.previous, at=AT)
            back.append(page)
        assert [slugs(one) for one in reversed(back)] == [slugs(one) for one in pages]
        assert back[-1].previous is None
        assert pages[0].previous is None

    def test_neither_repeats_nor_skips_who_stands_still_while_others_move(self) -> None:
        first = overview(size=5, at=AT)
        moved = Standing.objects.get(tenant__slug=slugs(overview(size=100, at=AT))[-1])
        moved.risk = 119
        moved.save()
        rest = [slug for page in forward(5, first.next) for slug in slugs(page)]
        assert sorted([*slugs(first), *rest]) == sorted(
            slug for slug in slugs(overview(size=100, at=AT)) if slug != moved.tenant.slug
        )

    def test_goes_back_to_the_first_page_where_fewer_are_left_before(self) -> None:
        second = overview(size=5, after=overview(size=5, at=AT).next, at=AT)
        Standing.objects.filter(risk=119).delete()
        page = overview(size=5, after=second.previous, at=AT)
        assert slugs(page) == slugs(overview(size=5, at=AT))
        assert page.previous is None

    @pytest.mark.parametrize("cursor", ["", "nonsense", "WzEsMl0:abc", "0.66,81"])
    def test_takes_a_cursor_that_is_not_ours_for_none(self, cursor: str) -> None:
        assert slugs(overview(size=5, after=cursor, at=AT)) == slugs(overview(size=5, at=AT))

    def test_begins_anew_where_nothing_is_left_after(self) -> None:
        last = next(iter(forward(22))).next
        Standing.objects.filter(tenant__slug=slugs(overview(size=100, at=AT))[-1]).delete()
        assert len(overview(size=22, after=last, at=AT).rows) == 22


class TestSorting:
    @pytest.fixture(autouse=True)
    def _tenants(self) -> None:
        """Names, amounts and times that some share, and that most have none of."""
        for n in range(17):
            standing(
                f"t{n}",
                n % 3,
                name=f"Name {n % 4}",
                overage=Decimal(n % 5) / 4 if n % 2 else 0,
                refused=[0, 7, 0, 0, 12_000][n % 5],
                last_used=None if n % 4 == 0 else AT - timedelta(minutes=n % 6),
            )

    @staticmethod
    def key(sort: str, row: Standing) -> tuple[object, int]:
        first = {
            "risk": -row.risk,
            "name": row.tenant.name,
            "overage": -row.overage,
            "refused": -row.refused,
            "used": timedelta(days=9999) if row.last_used is None else AT - row.last_used,
        }
        return first[sort], row.pk

    @pytest.mark.parametrize("size", [1, 4, 5, 7, 8, 16, 17])
    @pytest.mark.parametrize("sort", sorted(ORDERS))
    def test_shows_each_tenant_once_in_order_and_goes_back_the_same_way(self, sort: str, size: int) -> None:
        rows = list(Standing.objects.select_related("tenant"))
        rows.sort(key=lambda row: self.key(sort, row))
        pages = list(forward(size, sort=sort))
        assert [slug for page in pages for slug in slugs(page)] == [row.tenant.slug for row in rows]
        back, page = [pages[-1]], pages[-1]
        while page.previous and len(back) < MOST_PAGES:
            page = overview(Filters(sort=sort), size=size, after=page.previous, at=AT)
            back.append(page)
        assert [slugs(one) for one in reversed(back)] == [slugs(one) for one in pages]

    @pytest.mark.parametrize("sort", sorted(ORDERS))
    def test_takes_no_cursor_of_another_order_or_one_that_was_changed(self, sort: str) -> None:
        first = overview(Filters(sort=sort), size=5, at=AT)
        assert first.next
        for other in set(ORDERS) - {sort}:
            assert slugs(overview(Filters(sort=other), size=5, after=first.next, at=AT)) == slugs(
                overview(Filters(sort=other), size=5, at=AT)
            )
        forged = ("A" if first.next[0] != "A" else "B") + first.next[1:]
        assert slugs(overview(Filters(sort=sort), size=5, after=forged, at=AT)) == slugs(first)
