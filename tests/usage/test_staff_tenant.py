"""The staff page of one tenant: what it shows, a raise that counting feels, and what asks before it is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from billing.models import Metric, Override
from billing.periods import period_at
from tenants.audit import Action, record
from tenants.keys import create_key, find_key
from tenants.models import ApiKey, AuditEntry, Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.counting import Clock
from tests.usage.pages import text
from usage.metering import Charge, chores, consume
from usage.reports.staff_tenant import MOST_PEOPLE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
Browser = Callable[[User], Client]
DAY = timedelta(days=1)
FORM = re.compile(r"<form.*?</form>", re.DOTALL)
# What changes nothing but the page for its reader.
OWN = re.compile(r'action="(/sign-out/|/preferences/|[^"]*/settings/zone/)')


@pytest.fixture
def browser(client_for: Browser, staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def starter(make_tenant: MakeTenant) -> Tenant:
    return make_tenant("harbor", plan="starter")


def page_of(tenant: Tenant, name: str = "staff_tenant", **parts: int) -> str:
    return reverse(f"usage:{name}", kwargs={"slug": tenant.slug, **parts})


def raising(**changed: str) -> dict[str, str]:
    last = (timezone.now() + DAY).date().isoformat()
    return {"metric": "api_calls", "more": "10 %", "last_day": last, "reason": "launch week", **changed}


class TestPage:
    def test_says_who_it_is_and_how_it_stands(
        self, browser: Client, starter: Tenant, make_user: MakeUser
    ) -> None:
        make_user("olive@harbor.example", "owner", starter)
        make_user("vera@harbor.example", "viewer", starter)
        key, _secret = create_key(starter, name="billing job", at=timezone.now())
        consume(starter, Charge("api_calls", 45_000), at=timezone.now())
        html = text(browser.get(page_of(starter)))
        for shown in (
            "Harbor",
            "Starter",
            "mailto:olive@harbor.example",
            "vera@harbor.example",
            key.beginning,
        ):
            assert shown in html
        assert "45,000 of 50,000" in html
        assert "Approaching" in html
        assert f'href="/t/{starter.slug}/"' in html
        assert "mailto:vera" not in html

    def test_opens_for_a_closed_tenant_and_says_so(self, browser: Client, make_tenant: MakeTenant) -> None:
        html = text(browser.get(page_of(make_tenant("gone", status=Tenant.Status.CLOSED))))
        assert "Closed" in html
        assert "No subscription runs: the default plan holds." in html

    def test_offers_the_periods_last_day(self, browser: Client, starter: Tenant) -> None:
        last = period_at(starter, timezone.now()).last_day
        assert f'name="last_day" value="{last:%Y-%m-%d}"' in text(browser.get(page_of(starter)))

    def test_shows_the_last_acts_and_who_of_operations_it_was(
        self, browser: Client, starter: Tenant, staff: User
    ) -> None:
        at = timezone.now()
        record(starter, Action.VIEWED, actor=staff, at=at, page="/t/harbor/", network="192.0.2.7")
        html = text(browser.get(page_of(starter)))
        assert "/t/harbor/ was opened as staff" in html
        assert "sam@ops.example · 192.0.2.7" in html

    def test_reads_the_same_for_many_as_for_few(
        self,
        browser: Client,
        starter: Tenant,
        staff: User,
        make_user: MakeUser,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        metric, at = Metric.objects.get(code="api_calls"), timezone.now()
        for n in range(MOST_PEOPLE + 5):
            make_user(f"p{n}@harbor.example", "viewer", starter)
            create_key(starter, name=f"job {n}", at=at, created_by=staff)
            Override.objects.create(
                tenant=starter, metric=metric, units=n, reason="x", author=staff, starts=at - DAY
            )
            record(starter, Action.LEFT, actor=staff, at=at, who="x")
        browser.get(page_of(starter))  # what a process remembers: the catalogue, whether counts are late
        with django_assert_max_num_queries(12):
            html = text(browser.get(page_of(starter)))
        assert "there are more than these" in html


class TestRaise:
    def test_is_enforced_and_says_so(
        self, clock: Clock, browser: Client, starter: Tenant, staff: User
    ) -> None:
        clock.move_to(timezone.now())
        assert consume(starter, Charge("api_calls", 50_000), at=clock.now).allowed
        assert not consume(starter, Charge("api_calls"), at=clock.now).allowed
        response = browser.post(page_of(starter, "raise_limit"), raising())
        assert (response.status_code, response["Location"]) == (302, page_of(starter))
        clock.move_to(timezone.now())
        chores.take_over_changes(clock.now)
        assert consume(starter, Charge("api_calls", 5_000), at=clock.now).allowed
        assert not consume(starter, Charge("api_calls"), at=clock.now).allowed
        html = text(browser.get(page_of(starter)))
        assert "Harbor has API calls +5,000 until" in html
        assert "launch week" in html
        made = Override.objects.get()
        assert (made.author, made.mode, made.units) == (staff, "add", 5_000)
        assert made.ends == datetime.combine((timezone.now() + 2 * DAY).date(), datetime.min.time(), UTC)

    @pytest.mark.parametrize(
        ("wrong", "field", "message"),
        [
            ({"metric": "coffee"}, "metric", "is not one of the available choices"),
            ({"more": "ten"}, "more", "“ten” is no amount"),
            ({"more": "5 GB"}, "more", "is a size, but API calls are counted"),
            ({"more": ""}, "more", "This field is required"),
            ({"last_day": "2026-01-01"}, "last_day", "Choose a day from today to a year from now"),
            ({"last_day": "soon"}, "last_day", "Enter a valid date"),
            ({"reason": ""}, "reason", "This field is required"),
        ],
    )
    def test_says_what_is_wrong_beside_it_and_loses_nothing(
        self, browser: Client, starter: Tenant, wrong: dict[str, str], field: str, message: str
    ) -> None:
        response = browser.post(page_of(starter, "raise_limit"), raising(**wrong))
        assert response.status_code == 422
        form = response.context["form"]
        assert list(form.errors) == [field]
        html = text(response)
        assert f'id="id_{field}_error"' in html
        assert message in html
        kept = {name: value for name, value in raising(**wrong).items() if name != field}
        assert {name: form[name].value() for name in kept} == kept
        assert not Override.objects.exists()

    def test_does_not_offer_what_is_unlimited(self, browser: Client, starter: Tenant, staff: User) -> None:
        metric = Metric.objects.get(code="api_calls")
        Override.objects.create(
            tenant=starter, metric=metric, mode="set", units=None, reason="x", starts=timezone.now() - DAY
        )
        html = text(browser.get(page_of(starter)))
        assert '<option value="api_calls"' not in html
        assert '<option value="storage"' in html

    def test_is_for_those_who_may_add_overrides(
        self, client_for: Browser, make_user: MakeUser, starter: Tenant
    ) -> None:
        clerk = make_user("carol@ops.example", is_staff=True)
        client = client_for(clerk)
        html = text(client.get(page_of(starter)))
        assert 'id="raise"' not in html
        assert client.post(page_of(starter, "raise_limit"), raising()).status_code == 403
        clerk.user_permissions.add(Permission.objects.get(codename="add_override"))
        assert 'id="raise"' in text(client.get(page_of(starter)))
        assert client.post(page_of(starter, "raise_limit"), raising()).status_code == 302


class TestEnding:
    @pytest.fixture
    def given(self, starter: Tenant, staff: User) -> Override:
        metric = Metric.objects.get(code="api_calls")
        starts = timezone.now() - DAY
        return Override.objects.create(
            tenant=starter, metric=metric, units=500, reason="x", author=staff, starts=starts
        )

    def test_asks_first_and_then_ends_it(self, browser: Client, starter: Tenant, given: Override) -> None:
        path = page_of(starter, "end_override", pk=given.pk)
        assert "End “API calls +500” of Harbor now?" in text(browser.get(path))
        assert Override.objects.get().ends is None
        assert browser.post(path)["Location"] == page_of(starter)
        assert Override.objects.get().ends is not None
        browser.post(path)
        assert "It had ended already." in text(browser.get(page_of(starter)))

    def test_knows_no_override_of_another_tenant(
        self, browser: Client, tenant: Tenant, given: Override
    ) -> None:
        assert browser.post(page_of(tenant, "end_override", pk=given.pk)).status_code == 404


class TestRevoking:
    def test_asks_first_and_then_revokes(self, browser: Client, starter: Tenant, staff: User) -> None:
        key, secret = create_key(starter, name="job", at=timezone.now())
        path = page_of(starter, "staff_revoke_key", pk=key.pk)
        assert "Revoke “job” of Harbor?" in text(browser.get(path))
        assert find_key(secret, timezone.now())
        browser.post(path)
        revoked = ApiKey.objects.get()
        assert revoked.revoked_by == staff
        assert AuditEntry.objects.get().action == "key revoked"
        assert "No key works" in text(browser.get(page_of(starter)))

    def test_knows_no_key_of_another_tenant(self, browser: Client, tenant: Tenant, starter: Tenant) -> None:
        key, _secret = create_key(starter, name="job", at=timezone.now())
        assert browser.post(page_of(tenant, "staff_revoke_key", pk=key.pk)).status_code == 404


class TestViewingAs:
    """The tenant's own pages, opened by operations."""

    @pytest.mark.parametrize(
        "name", ["overview", "cost", "plan", "alerts", "keys", "members", "settings", "why"]
    )
    def test_says_so_and_offers_nothing_that_would_be_refused(
        self, browser: Client, starter: Tenant, make_user: MakeUser, name: str
    ) -> None:
        make_user("olive@harbor.example", Membership.Role.OWNER, starter)
        create_key(starter, name="job", at=timezone.now())
        html = text(browser.get(page_of(starter, name)))
        assert "You are viewing Harbor as staff." in html
        assert f'href="{page_of(starter)}"' in html
        for form in FORM.findall(html):
            if 'method="post"' in form and not OWN.search(form):
                assert re.search(r"<fieldset[^>]* disabled", form), form
                assert 'type="submit"' not in form, form

    def test_members_see_no_bar(self, client_for: Browser, make_user: MakeUser, starter: Tenant) -> None:
        owner = make_user("olive@harbor.example", Membership.Role.OWNER, starter)
        assert "as staff" not in text(client_for(owner).get(page_of(starter, "overview")))
