"""The wire formats of quotas: every header, member and sentence, from decisions made by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.cache import SessionStore
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from billing.caps import set_cap
from billing.models import Metric, Plan
from billing.periods import Period
from tenants.models import ApiKey, Membership, Tenant, User
from tenants.requests import as_tenant_request
from tests.conftest import MakeUser
from usage.metering import (
    BurstTooSmall,
    Cause,
    Charge,
    CountsUnavailable,
    Decision,
    Gauge,
    Refusal,
    TenantClosed,
)
from usage.quotas.decisions import NotAdmitted, Refused
from usage.quotas.refusals import Explanation
from usage.quotas.responses import answer, quota_headers
from usage.quotas.sentences import heading, sentence

pytestmark = pytest.mark.urls("tests.usage.quota_urls")

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
RESET = 7 * 86_400 + 16 * 3_600
ACME = Tenant(slug="acme", name="Acme Rockets")
FREE = Plan(slug="free", name="Free")
CALLS = Metric(code="api_calls", name="API calls", noun="calls", kind="sum")
STORAGE = Metric(code="storage", name="Storage", noun="storage", kind="level", unit="bytes")
USERS = Metric(code="users", name="Active users", noun="users", kind="distinct")
BANDWIDTH = Metric(code="bandwidth", name="Bandwidth", noun="bandwidth", kind="sum", unit="bytes")
MB = 10**6


def decided(
    *gauges: Gauge, refused: Refusal | None = None, plan: Plan | None = FREE, **more: Any
) -> Decision:
    return Decision(ACME, plan, more.pop("period", NOVEMBER), AT, gauges, refused, **more)


def refusal(
    gauge: Gauge, amount: int = 1, cause: Cause = Cause.LIMIT, wait: int | None = None, **more: Any
) -> Decision:
    return decided(gauge, refused=Refusal(Charge(gauge.metric.code, amount), cause, gauge, wait), **more)


def explained(decision: Decision) -> Explanation:
    assert decision.refused is not None
    return Explanation(decision, decision.refused)


def full(metric: Metric, limit: int) -> Gauge:
    return Gauge(metric, limit, limit, limit)


class TestQuotaHeaders:
    def test_tell_quota_window_rest_and_reset(self) -> None:
        decision = decided(Gauge(CALLS, 98_800, 100_000, 100_000))
        assert quota_headers([decision]) == {
            "X-Usage-Remaining": "1200",
            "RateLimit-Policy": '"api_calls";q=100000;w=2592000',
            "RateLimit": f'"api_calls";r=1200;t={RESET}',
        }

    def test_list_every_charge_and_count_down_the_first(self) -> None:
        decision = decided(Gauge(BANDWIDTH, 1, 500, 500), Gauge(CALLS, 3, 10, 10))
        headers = quota_headers([decision])
        assert headers["X-Usage-Remaining"] == "499"
        assert headers["RateLimit-Policy"] == '"bandwidth";q=500;w=2592000, "api_calls";q=10;w=2592000'
        assert headers["RateLimit"] == f'"bandwidth";r=499;t={RESET}, "api_calls";r=7;t={RESET}'

    def test_give_a_level_neither_window_nor_reset(self) -> None:
        headers = quota_headers([decided(Gauge(STORAGE, 40 * MB, 100 * MB, 100 * MB))])
        assert headers["RateLimit-Policy"] == '"storage";q=100000000'
        assert headers["RateLimit"] == '"storage";r=60000000'

    def test_give_a_burst_an_item_of_its_own(self) -> None:
        gauge = Gauge(CALLS, 5, 100, 100, burst=600, burst_left=595, burst_seconds=1)
        headers = quota_headers([decided(gauge)])
        assert headers["RateLimit-Policy"] == '"api_calls";q=100;w=2592000, "api_calls.burst";q=600;w=60'
        assert headers["RateLimit"] == f'"api_calls";r=95;t={RESET}, "api_calls.burst";r=595;t=1'

    def test_say_only_what_is_included_where_nothing_stops(self) -> None:
        headers = quota_headers([decided(Gauge(CALLS, 600, 500, None))])
        assert headers == {"X-Usage-Remaining": "0"}

    def test_say_nothing_where_use_is_unlimited(self) -> None:
        assert quota_headers([decided(Gauge(CALLS, 600, None, None))]) == {}

    def test_say_nothing_while_counts_are_away(self) -> None:
        assert quota_headers([decided(is_counted=False, plan=None)]) == {}
        assert quota_headers([]) == {}

    def test_end_at_a_spend_cap(self) -> None:
        headers = quota_headers([decided(Gauge(CALLS, 600, 500, None, cap_stop=700))])
        assert headers["RateLimit-Policy"] == '"api_calls";q=700;w=2592000'
        assert headers["RateLimit"] == f'"api_calls";r=100;t={RESET}'
        assert headers["X-Usage-Remaining"] == "0"

    def test_show_a_metric_charged_twice_as_it_stood_last(self) -> None:
        first, second = decided(Gauge(CALLS, 1, 10, 10)), decided(Gauge(CALLS, 2, 10, 10))
        headers = quota_headers([first, second])
        assert headers["X-Usage-Remaining"] == "8"
        assert headers["RateLimit"] == f'"api_calls";r=8;t={RESET}'

    def test_keep_to_fifteen_digits(self) -> None:
        headers = quota_headers([decided(Gauge(STORAGE, 0, 2**53, 2**53))])
        assert headers["RateLimit-Policy"] == '"storage";q=999999999999999'
        assert headers["RateLimit"] == '"storage";r=999999999999999'

    def test_show_of_a_refusal_only_what_it_violated(self) -> None:
        gauge = Gauge(CALLS, 5, 100, 100, burst=60, burst_left=0, burst_seconds=60)
        headers = quota_headers([refusal(gauge, cause=Cause.BURST, wait=3)])
        assert headers["RateLimit"] == '"api_calls.burst";r=0;t=3'
        assert headers["RateLimit-Policy"] == '"api_calls";q=100;w=2592000, "api_calls.burst";q=60;w=60'

    def test_show_a_refusal_also_after_something_was_given_back(self) -> None:
        headers = quota_headers([refusal(full(CALLS, 10)), decided(Gauge(STORAGE, 0, 5, 5))])
        assert headers["RateLimit"] == f'"api_calls";r=0;t={RESET}'

    def test_can_leave_the_draft_away(self, settings: Any) -> None:
        settings.HEADROOM_RATELIMIT_HEADERS = "none"
        assert quota_headers([decided(Gauge(CALLS, 1, 10, 10))]) == {"X-Usage-Remaining": "9"}


def ask(decision: Decision | Exception, accept: str = "*/*", user: User | None = None) -> HttpResponse:
    request = as_tenant_request(RequestFactory().get("/", headers={"Accept": accept}))
    request.request_id = "5b2f6c0e-1111-4222-8333-444455556666"
    request.session = SessionStore()
    request.user = user or AnonymousUser()  # type: ignore[assignment]  # as Django's own middleware does
    request.membership = Membership.objects.filter(user=user).first() if user else None
    return answer(request, decision if isinstance(decision, Exception) else Refused(decision))


class TestProblem:
    def test_has_every_member(self, settings: Any) -> None:
        settings.BASE_URL = "https://headroom.example"
        response = ask(refusal(full(CALLS, 1_000)))
        detail = (
            "You've used all 1,000 API calls in your Free plan. "
            "They reset on 1 December. Upgrade your plan for more."
        )
        assert response.status_code == 429
        assert response["Content-Type"] == "application/problem+json"
        assert response["Retry-After"] == str(RESET)
        assert response["Cache-Control"] == "no-store"
        assert response["Vary"] == "Accept"
        assert json.loads(response.content) == {
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Quota exceeded",
            "status": 429,
            "detail": detail,
            "instance": "urn:uuid:5b2f6c0e-1111-4222-8333-444455556666",
            "violated-policies": ["api_calls"],
            "error": "Quota exceeded",
            "message": detail,
            "metric": "api_calls",
            "limit": 1000,
            "used": 1000,
            "requested": 1,
            "resets_at": "2026-12-01T00:00:00Z",
            "upgrade_url": f"https://headroom.example{plan_path()}",
        }

    def test_of_a_level_promises_no_reset(self) -> None:
        response = ask(refusal(full(STORAGE, 100 * MB), amount=5))
        body = json.loads(response.content)
        assert "Retry-After" not in response
        assert (body["resets_at"], body["limit"], body["requested"]) == (None, 100 * MB, 5)
        assert "Free some storage or upgrade" in body["detail"]

    def test_of_a_burst_counts_the_minute(self) -> None:
        gauge = Gauge(CALLS, 5, 100, 100, burst=60, burst_left=2, burst_seconds=58)
        response = ask(refusal(gauge, amount=5, cause=Cause.BURST, wait=3))
        body = json.loads(response.content)
        assert response["Retry-After"] == "3"
        assert body["violated-policies"] == ["api_calls.burst"]
        assert (body["limit"], body["used"], body["requested"]) == (60, 58, 5)
        assert body["resets_at"] == "2026-11-23T08:00:03Z"

    def test_of_a_spend_cap_counts_to_the_cap(self, settings: Any) -> None:
        settings.BASE_URL = "https://headroom.example"
        response = ask(refusal(Gauge(CALLS, 700, 500, None, cap_stop=700), cause=Cause.CAP))
        body = json.loads(response.content)
        assert body["upgrade_url"] == "https://headroom.example/t/acme/cost/#cap"
        assert (body["limit"], body["used"], body["resets_at"]) == (700, 700, "2026-12-01T00:00:00Z")
        assert response["Retry-After"] == str(RESET)

    def test_of_a_gate_does_not_know_what_is_asked_for(self) -> None:
        body = json.loads(ask(refusal(full(BANDWIDTH, 500 * MB), amount=0)).content)
        assert (body["requested"], body["resets_at"]) == (None, "2026-12-01T00:00:00Z")

    @pytest.mark.parametrize(("used", "limit", "amount"), [(0, 0, 1), (0, 0, 0), (10, 100, 101)])
    def test_promises_no_reset_where_waiting_never_helps(self, used: int, limit: int, amount: int) -> None:
        response = ask(refusal(Gauge(CALLS, used, limit, limit), amount=amount))
        assert json.loads(response.content)["resets_at"] is None
        assert "Retry-After" not in response

    def test_never_invites_back_before_the_reset(self) -> None:
        almost = datetime(2026, 11, 30, 23, 59, 59, 1, tzinfo=UTC)
        gauge = full(CALLS, 10)
        late = Decision(
            ACME, FREE, NOVEMBER, almost, (gauge,), Refusal(Charge("api_calls"), Cause.LIMIT, gauge)
        )
        assert ask(late)["Retry-After"] == "1"
        assert quota_headers([late])["RateLimit"] == '"api_calls";r=0;t=1'

    @pytest.mark.parametrize(
        "accept",
        [
            "*/*",
            "application/json",
            "application/problem+json",
            "image/png",
            "application/json, text/html;q=0.9",
            "",
        ],
    )
    def test_is_for_who_does_not_prefer_pages(self, accept: str) -> None:
        assert ask(refusal(full(CALLS, 10)), accept)["Content-Type"] == "application/problem+json"


def plan_path() -> str:
    return reverse("usage:plan", kwargs={"slug": "acme"})


class TestSentences:
    def one(self, *args: Any, **kwargs: Any) -> str:
        return sentence(explained(refusal(*args, **kwargs)))

    def test_of_a_sum(self) -> None:
        assert self.one(full(BANDWIDTH, 500 * MB)) == (
            "You've used all 500 MB of bandwidth in your Free plan. "
            "It resets on 1 December. Upgrade your plan for more."
        )

    def test_of_a_sum_with_too_little_left(self) -> None:
        assert self.one(Gauge(BANDWIDTH, 480 * MB, 500 * MB, 500 * MB), 300 * MB) == (
            "This needs 300 MB of bandwidth, but only 20 MB of the 500 MB in your Free plan is left. "
            "It resets on 1 December. Upgrade your plan for more."
        )

    def test_of_a_charge_that_never_fits(self) -> None:
        assert self.one(Gauge(CALLS, 400, 500, 500), 600) == (
            "This needs 600 API calls, but only 100 of the 500 in your Free plan are left. Upgrade your plan for more."
        )

    def test_of_a_level(self) -> None:
        assert self.one(full(STORAGE, 100 * MB), 5) == (
            "You've used all 100 MB of storage in your Free plan. Free some storage or upgrade your plan."
        )

    def test_tells_quantities_apart_that_look_the_same(self) -> None:
        assert self.one(Gauge(STORAGE, 0, 10 * MB, 10 * MB), 10 * MB + 1) == (
            "This needs 10,000,001 bytes of storage, but only 10,000,000 bytes of the 10 MB "
            "in your Free plan is left. Free some storage or upgrade your plan."
        )

    def test_of_members(self) -> None:
        assert self.one(full(USERS, 3)) == (
            "Your Free plan includes 3 active users, and this would be one more. "
            "They reset on 1 December. Upgrade your plan for more."
        )

    def test_of_a_burst(self) -> None:
        gauge = Gauge(CALLS, 5, 100, 100, burst=60, burst_left=0, burst_seconds=60)
        assert self.one(gauge, cause=Cause.BURST, wait=3) == (
            "Your Free plan allows 60 API calls a minute. Try again in 3 seconds."
        )

    def test_of_a_spend_cap(self) -> None:
        assert self.one(Gauge(CALLS, 700, 500, None, cap_stop=700), cause=Cause.CAP) == (
            "Your spend cap is reached. Included amounts keep working; billable calls are refused "
            "until 1 December. Raise the cap to go on."
        )

    def test_of_a_spend_cap_names_its_amount_to_who_may_know_it(self) -> None:
        decision = refusal(Gauge(CALLS, 700, 500, None, cap_stop=700), cause=Cause.CAP)
        assert decision.refused
        assert sentence(Explanation(decision, decision.refused, Decimal(390))).startswith(
            "Your spend cap of $390.00 is reached. Included amounts keep working;"
        )

    def test_of_a_spend_cap_that_leaves_too_little(self) -> None:
        gauge = Gauge(BANDWIDTH, 680 * MB, 500 * MB, None, cap_stop=700 * MB)
        assert self.one(gauge, 30 * MB, cause=Cause.CAP) == (
            "Your spend cap is nearly reached: this needs 30 MB of bandwidth, and only 20 MB can still be paid for. "
            "Included amounts keep working; billable bandwidth is refused until 1 December. Raise the cap to go on."
        )

    def test_of_a_spend_cap_on_a_level_ends_with_the_period(self) -> None:
        gauge = Gauge(STORAGE, 700 * MB, 500 * MB, None, cap_stop=700 * MB)
        assert "billable storage is refused until 1 December." in self.one(gauge, MB, cause=Cause.CAP)

    def test_of_what_the_plan_does_not_include(self) -> None:
        assert (
            self.one(full(CALLS, 0))
            == "Your Free plan doesn't include API calls. Upgrade your plan to use them."
        )
        assert (
            self.one(full(STORAGE, 0))
            == "Your Free plan doesn't include storage. Upgrade your plan to use it."
        )

    def test_without_a_plan(self) -> None:
        assert self.one(full(CALLS, 0), plan=None).startswith("Your plan doesn't include API calls.")

    @pytest.mark.parametrize(
        ("decision", "text"),
        [
            (refusal(full(CALLS, 10)), "Acme Rockets has used all its API calls for November."),
            (refusal(full(STORAGE, 10)), "Acme Rockets has no storage left."),
            (refusal(Gauge(STORAGE, 5, 10, 10), 6), "Acme Rockets has too little storage left for this."),
            (refusal(Gauge(CALLS, 5, 10, 10), 6), "Acme Rockets has too few API calls left for this."),
            (refusal(full(USERS, 3)), "Acme Rockets has no room for more active users in November."),
            (refusal(full(CALLS, 0)), "The Free plan doesn't include API calls."),
            (
                refusal(Gauge(CALLS, 7, 5, None, 7), cause=Cause.CAP),
                "Acme Rockets has reached its spend cap.",
            ),
            (refusal(Gauge(CALLS, 0, 5, 5, burst=6), cause=Cause.BURST), "Too many API calls in one minute."),
            (
                refusal(Gauge(BANDWIDTH, 0, 5, 5, burst=6), cause=Cause.BURST),
                "Too much bandwidth in one minute.",
            ),
            (
                refusal(full(CALLS, 10), period=Period(date(2026, 11, 15), date(2026, 12, 15))),
                "Acme Rockets has used all its API calls for this period.",
            ),
        ],
    )
    def test_heads_the_page(self, decision: Decision, text: str) -> None:
        assert heading(explained(decision)) == text


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.django_db
class TestPage:
    def test_tells_a_browser_the_same_facts(self) -> None:
        response = ask(refusal(full(CALLS, 1_000)), BROWSER)
        page = " ".join(response.content.decode().split())
        assert response.status_code == 429
        assert response["Content-Type"] == "text/html; charset=utf-8"
        assert (response["Retry-After"], response["Cache-Control"]) == (str(RESET), "no-store")
        assert '<h1 class="mt2">Acme Rockets has used all its API calls for November.</h1>' in page
        assert "You&#x27;ve used all 1,000 API calls in your Free plan. They work again on" in page
        assert (
            '<time datetime="2026-12-01T00:00:00+00:00">1 Dec 2026, 00:00 UTC</time></b>, in 7 days and 16 hours.'
            in page
        )
        assert "API calls: 1,000 of 1,000 used, 0 API calls left" in page
        assert f'href="http://localhost:8000{plan_path()}"' in page

    def test_keeps_what_developers_need_closed(self) -> None:
        page = ask(refusal(full(CALLS, 1_000)), BROWSER).content.decode()
        assert '<details class="more mt2">' in page
        assert "5b2f6c0e-1111-4222-8333-444455556666" in page
        assert f"Retry-After: {RESET}" in page
        assert "RateLimit-Policy: &quot;api_calls&quot;;q=1000;w=2592000" in page

    def test_keeps_a_strict_content_security_policy(self) -> None:
        page = ask(refusal(full(CALLS, 1_000)), BROWSER).content.decode()
        assert "style=" not in page
        assert "<script" not in page

    def test_draws_what_is_used(self) -> None:
        page = ask(refusal(Gauge(STORAGE, 97 * MB, 100 * MB, 100 * MB), 4 * MB), BROWSER).content.decode()
        assert 'class="used" y="28" width="97.00%"' in page
        assert 'class="room" x="97.00%" y="28.5" width="3.00%"' in page
        assert "Not enough left" in page
        assert "work again" not in page
        assert "works again" not in page

    def test_draws_no_bar_of_nothing(self) -> None:
        page = ask(refusal(full(CALLS, 0)), BROWSER).content.decode()
        assert 'class="bar' not in page
        assert "The Free plan doesn&#x27;t include API calls." in page

    def test_names_an_owner_to_members(self, make_user: MakeUser) -> None:
        tenant = Tenant.objects.create(slug="acme-two", name="Acme")
        make_user("priya@acme.example", "owner", tenant, first_name="Priya", last_name="Raman")
        viewer = make_user("vic@acme.example", "viewer", tenant)
        gauge = full(CALLS, 10)
        decision = Decision(
            tenant, FREE, NOVEMBER, AT, (gauge,), Refusal(Charge("api_calls"), Cause.LIMIT, gauge)
        )
        hint = "Send this page to Priya Raman, who can change the plan."
        assert hint in ask(decision, BROWSER, viewer).content.decode()
        assert (
            hint not in ask(decision, BROWSER, User.objects.get(email="priya@acme.example")).content.decode()
        )
        assert hint not in ask(decision, BROWSER).content.decode()


@pytest.mark.django_db
class TestCapPage:
    @pytest.fixture
    def capped(self, make_user: MakeUser) -> Decision:
        tenant = Tenant.objects.create(slug="acme-three", name="Acme")
        make_user("priya@acme.example", "owner", tenant, first_name="Priya", last_name="Raman")
        make_user("vic@acme.example", "viewer", tenant)
        set_cap(tenant, side="owner", mode="stop", amount=Decimal(390), at=AT, actor=None)
        gauge = Gauge(CALLS, 700, 500, None, cap_stop=700)
        return Decision(tenant, FREE, NOVEMBER, AT, (gauge,), Refusal(Charge("api_calls"), Cause.CAP, gauge))

    def page(self, capped: Decision, email: str) -> str:
        found = ask(capped, BROWSER, User.objects.get(email=email)).content.decode()
        return " ".join(found.split())

    def test_says_what_stops_until_when_and_leads_to_the_cap(self, capped: Decision) -> None:
        page = self.page(capped, "priya@acme.example")
        assert "Acme has reached its spend cap." in page
        assert (
            "Your spend cap of $390.00 is reached. Included amounts keep working. Billable calls work" in page
        )
        assert "Raise the cap to go on." in page
        assert 'href="http://localhost:8000/t/acme-three/cost/#cap">See the spend cap</a>' in page

    def test_names_no_amount_to_who_sees_no_money(self, capped: Decision) -> None:
        page = self.page(capped, "vic@acme.example")
        assert "Your spend cap is reached." in page
        assert "390" not in page
        assert "Send this page to Priya Raman, who can change the cap." in page

    def test_names_the_amount_to_programs_with_a_key(self, capped: Decision) -> None:
        request = as_tenant_request(RequestFactory().get("/"))
        request.request_id, request.user = "5b2f6c0e", AnonymousUser()  # type: ignore[assignment]
        request.api_key = ApiKey(tenant=capped.tenant)
        body = json.loads(answer(request, Refused(capped)).content)
        assert (
            body["detail"]
            == body["message"]
            == (
                "Your spend cap of $390.00 is reached. Included amounts keep working; billable calls are refused "
                "until 1 December. Raise the cap to go on."
            )
        )
        assert (body["limit"], body["used"], body["violated-policies"]) == (700, 700, ["api_calls"])


class TestOtherAnswers:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (NotAdmitted(400, "Tenant required", "Send a key."), 400),
            (NotAdmitted(403, "Tenant suspended", "Ask."), 403),
            (TenantClosed("closed"), 403),
            (BurstTooSmall("api_calls: 90 at once"), 422),
        ],
    )
    def test_are_problems(self, error: Exception, status: int) -> None:
        response = ask(error)
        body = json.loads(response.content)
        assert (response.status_code, body["status"], body["detail"]) == (status, status, str(error))
        assert response["Content-Type"] == "application/problem+json"

    def test_of_a_missing_key_name_the_scheme(self) -> None:
        assert ask(NotAdmitted(401, "Key required", "Send a key."))["WWW-Authenticate"] == "Bearer"

    def test_of_missing_counts_ask_to_come_back(self) -> None:
        response = ask(CountsUnavailable("storage can't be counted now"))
        body = json.loads(response.content)
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert body["type"] == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
