"""The staff pages: for staff alone, with and without HTMX, polled, and marked as seen."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import Plan
from tenants.models import Tenant, User
from tests.usage.standing import standing
from usage.models import Notice, Standing
from usage.wishes import ask_for_plan

HTMX = {"HTTP_HX_REQUEST": "true"}
PAGES = ["usage:tenants", "usage:inbox"]


@pytest.fixture
def browser(client_for: Callable[[User], Client], staff: User) -> Client:
    """Of a member of the operations team."""
    return client_for(staff)


def notice(tenant: Tenant, text: str, **fields: Any) -> Notice:
    return Notice.objects.create(
        **{"tenant": tenant, "kind": "alert", "text": text, "at": timezone.now()} | fields
    )


class TestWhoMayOpenThem:
    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_staff_does(self, browser: Client, page: str, headers: dict[str, str]) -> None:
        assert browser.get(reverse(page), **headers).status_code == 200  # type: ignore[arg-type]

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_owners_find_nothing(
        self, client_for: Callable[[User], Client], owner: User, page: str, headers: dict[str, str]
    ) -> None:
        assert client_for(owner).get(reverse(page), **headers).status_code == 404  # type: ignore[arg-type]

    def test_owners_mark_nothing(
        self, client_for: Callable[[User], Client], owner: User, tenant: Tenant
    ) -> None:
        one = notice(tenant, "x")
        assert client_for(owner).post(reverse("usage:seen"), {"notice": one.pk}).status_code == 404
        assert Notice.objects.get().seen_at is None

    @pytest.mark.parametrize("page", PAGES)
    def test_strangers_are_asked_to_sign_in(self, client: Client, db: None, page: str) -> None:
        assert client.get(reverse(page)).status_code == 302

    def test_marking_takes_a_post(self, browser: Client) -> None:
        assert browser.get(reverse("usage:seen")).status_code == 405


class TestTenants:
    path = "/staff/tenants/"

    def test_says_how_each_tenant_stands(self, browser: Client) -> None:
        standing("northwind-labs", 82, refused=37)
        html = browser.get(self.path).content.decode()
        assert 'href="/staff/tenants/northwind-labs/"' in html
        assert "API calls: 82 % used" in html
        assert "Approaching" in html
        assert "Plans" in html

    def test_works_without_javascript(self, browser: Client) -> None:
        standing("a", plan="pro")
        standing("b")
        html = browser.get(self.path, {"q": "a", "plan": "pro", "state": "", "metric": ""}).content.decode()
        assert 'href="/staff/tenants/a/"' in html
        assert 'href="/staff/tenants/b/"' not in html
        assert 'value="pro" selected' in " ".join(html.split())

    @pytest.mark.parametrize("sort", ["", "name", "overage", "refused", "used"])
    def test_takes_twelve_queries_at_most(
        self, browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries, sort: str
    ) -> None:
        for n in range(4):
            standing(f"t{n}", 60 * n, state="over" if n > 1 else "ok", overage=n // 2, refused=n // 2)
        for state in ("", "below", "silent", "exceeds"):
            with django_assert_max_num_queries(12):
                browser.get(self.path, {"sort": sort, "state": state})

    def test_sorts_by_links_that_keep_the_filter(self, browser: Client) -> None:
        standing("a", 90, plan="pro")
        html = browser.get(self.path, {"plan": "pro", "sort": "name"}).content.decode()
        assert 'aria-sort="ascending"' in html
        assert f'href="{self.path}?plan=pro&amp;sort=overage"' in html
        assert f'href="{self.path}?plan=pro"' in html  # by risk, as without a word
        assert 'name="sort" value="name" form="which"' in html

    def test_tiles_lead_to_what_they_count(self, browser: Client) -> None:
        standing("a", 119, state="over")
        standing("b", 85)
        standing("c", 101, fill=40, state="near", runs_out=timezone.now().date())
        report = browser.get(self.path).context["report"]
        for state, count in (
            ("limit", report.summary.at_limit),
            ("high", report.summary.high),
            ("exceeds", report.summary.exceeding),
        ):
            page = browser.get(self.path, {"state": state})
            assert len(page.context["report"].rows) == count > 0
            assert f'href="{self.path}?state={state}"' in page.content.decode()

    def test_the_file_has_all_that_the_list_is_narrowed_to(self, browser: Client) -> None:
        for n in range(60):
            standing(f"t{n}", n, plan="pro")
        standing("other", 100)
        standing("odd", 99, plan="pro", name="=1+1", forecast=120, last_used=None)
        page = browser.get(self.path, {"plan": "pro"})
        assert 'href="/staff/tenants.csv?plan=pro"' in page.content.decode()
        response = browser.get("/staff/tenants.csv", {"plan": "pro"})
        text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
        rows = list(csv.DictReader(StringIO(text)))
        assert [row["Slug"] for row in rows] == ["odd", *(f"t{n}" for n in range(59, -1, -1))]
        assert (rows[0]["Tenant"], rows[0]["Forecast, percent"], rows[0]["Last used"]) == ("'=1+1", "120", "")
        assert [row["Slug"] for row in rows[1:50]] == [row.slug for row in page.context["report"].rows[1:]]

    def test_swaps_the_parts_that_follow_the_list(self, browser: Client) -> None:
        standing("a")
        response = browser.get(self.path, {"q": "a", "plan": "", "after": ""}, **HTMX)  # type: ignore[arg-type]
        html = response.content.decode()
        assert "<html" not in html
        for part in ("kpis", "rows", "pager", "file", "poller", "counted"):
            assert f'id="{part}"' in html
        assert html.count('hx-swap-oob="true"') == 6
        assert response["HX-Push-Url"] == "/staff/tenants/?q=a"
        assert "HX-Request" in response["Vary"]

    def test_a_poll_is_answered_only_when_something_changed(self, browser: Client) -> None:
        one = standing("a", 50)
        version = browser.get(self.path).context["report"].version
        quiet = browser.get(self.path, {"seen": version}, **HTMX)  # type: ignore[arg-type]
        assert (quiet.status_code, quiet.content) == (204, b"")
        assert quiet["X-Counted-To"].endswith("Z")
        Standing.objects.filter(pk=one.pk).update(fill=51, risk=51)
        told = browser.get(self.path, {"seen": version}, **HTMX)  # type: ignore[arg-type]
        assert told.status_code == 200
        assert "API calls: 51 % used" in told.content.decode()
        assert "HX-Push-Url" not in told

    def test_pages_by_links(self, browser: Client) -> None:
        for n in range(60):
            standing(f"t{n}", n)
        first = browser.get(self.path)
        assert 'aria-disabled="true"' in first.content.decode()
        second = browser.get(self.path + first.context["report"].next_address)
        assert len(second.context["report"].rows) == 10
        back = browser.get(self.path + second.context["report"].previous_address)
        assert [row.slug for row in back.context["report"].rows] == [
            row.slug for row in first.context["report"].rows
        ]

    def test_says_what_to_do_where_nothing_fits(self, browser: Client) -> None:
        standing("a")
        assert "Show all tenants" in browser.get(self.path, {"q": "zzz"}).content.decode()
        Standing.objects.all().delete()
        assert "No tenants yet" in browser.get(self.path).content.decode()

    def test_shows_what_was_asked_as_text(self, browser: Client) -> None:
        html = browser.get(self.path, {"q": '"><script>alert(1)</script>'}).content.decode()
        assert "<script>alert" not in html

    def test_reads_the_same_for_many_as_for_few(
        self, browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(55):
            standing(f"t{n}", 101 + n, state="over", plan="pro")
        browser.get(self.path)
        with django_assert_max_num_queries(12):
            browser.get(self.path, {"q": "t"})


class TestInbox:
    path = "/staff/inbox/"

    def test_is_newest_first_and_marks_what_is_unseen(self, browser: Client, tenant: Tenant) -> None:
        now = timezone.now()
        notice(tenant, "Older.", at=now - timedelta(hours=1), seen_at=now)
        notice(tenant, "Newer.", at=now)
        html = browser.get(self.path).content.decode()
        assert html.index("Newer.") < html.index("Older.")
        assert "<b>Newer.</b>" in html
        assert "<b>Older.</b>" not in html
        assert 'href="/t/northwind/"' in html

    def test_shows_who_asks_for_a_plan(self, browser: Client, tenant: Tenant, owner: User) -> None:
        ask_for_plan(tenant, Plan.objects.get(slug="pro"), person=owner, at=timezone.now())
        assert "asked by olive@northwind.example" in browser.get(self.path).content.decode()

    def test_counts_the_unseen_in_the_tab(self, browser: Client, tenant: Tenant) -> None:
        notice(tenant, "One.")
        notice(tenant, "Two.")
        html = browser.get("/staff/tenants/").content.decode()
        assert '<span id="unseen" class="badge" >2<' in html
        Notice.objects.bulk_create(
            Notice(tenant=tenant, kind="alert", text="x", at=timezone.now()) for _ in range(100)
        )
        assert ">99+<" in browser.get("/staff/tenants/").content.decode()

    def test_marks_one_as_seen(self, browser: Client, staff: User, tenant: Tenant) -> None:
        one, other = notice(tenant, "One."), notice(tenant, "Two.")
        response = browser.post(reverse("usage:seen"), {"notice": one.pk, "after": ""})
        assert (response.status_code, response["Location"]) == (302, self.path)
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.seen_by, other.seen_at) == (staff, None)

    def test_keeps_who_saw_it_first(self, browser: Client, make_user: Any, tenant: Tenant) -> None:
        first, then = make_user("first@ops.example", is_staff=True), timezone.now() - timedelta(days=1)
        one = notice(tenant, "One.", seen_at=then, seen_by=first)
        browser.post(reverse("usage:seen"), {"notice": one.pk})
        one.refresh_from_db()
        assert (one.seen_by, one.seen_at) == (first, then)

    def test_marks_all_that_the_page_showed(self, browser: Client, tenant: Tenant) -> None:
        for n in range(3):
            notice(tenant, f"Shown {n}.")
        newest = browser.get(self.path).context["report"].newest
        late = notice(tenant, "Came after.")
        browser.post(reverse("usage:seen"), {"newest": newest})
        assert list(Notice.objects.filter(seen_at=None)) == [late]

    def test_swaps_itself_and_the_tab(self, browser: Client, tenant: Tenant) -> None:
        one = notice(tenant, "One.")
        response = browser.post(reverse("usage:seen"), {"notice": one.pk, "after": ""}, **HTMX)  # type: ignore[arg-type]
        html = response.content.decode()
        assert "<html" not in html
        assert 'id="notices"' in html
        assert '<span id="unseen"  hx-swap-oob="true"></span>' in html
        assert "HX-Request" in response["Vary"]

    @pytest.mark.parametrize("sent", [{}, {"notice": "x"}, {"notice": 1, "newest": 1}, {"newest": -1}])
    def test_refuses_what_names_nothing(self, browser: Client, sent: dict[str, object]) -> None:
        assert browser.post(reverse("usage:seen"), sent).status_code == 400

    def test_pages_both_ways_where_many_came_at_once(self, browser: Client, tenant: Tenant) -> None:
        now = timezone.now()
        Notice.objects.bulk_create(
            Notice(tenant=tenant, kind="alert", text=f"Notice {n}.", at=now) for n in range(120)
        )
        pages = [browser.get(self.path).context["report"]]
        while pages[-1].next:
            pages.append(browser.get(self.path, {"after": pages[-1].next}).context["report"])
        ids = [line.id for page in pages for line in page.lines]
        assert ids == sorted(ids, reverse=True)
        assert len(ids) == len(set(ids)) == 120
        back = browser.get(self.path, {"after": pages[-1].previous}).context["report"]
        assert [line.id for line in back.lines] == [line.id for line in pages[1].lines]

    def test_reads_the_same_for_many_as_for_few(
        self, browser: Client, tenant: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(40):
            notice(tenant, f"{n}")
        browser.get(self.path)
        with django_assert_max_num_queries(7):
            browser.get(self.path)
