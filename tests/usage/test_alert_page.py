"""The page of alerts: who may change what, and what is kept of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Metric
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.alerting import BILL, limit, reading
from tests.usage.calling import cross, endpoint
from tests.usage.pages import HTMX, address, swapped, text
from usage.alerts.thresholds import judge
from usage.models import Alert, AlertChoice, Delivery, Endpoint, MailChoice, Threshold

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
URL = "https://hooks.example/headroom"


@pytest.fixture
def browser(client_for: Callable[[User], Client], owner: User) -> Client:
    return client_for(owner)


@pytest.fixture
def viewer(client_for: Callable[[User], Client], make_user: MakeUser, tenant: Tenant) -> Client:
    return client_for(make_user("vera@northwind.example", "viewer", tenant))


def sent(tenant: Tenant, count: int = 1, **fields: Any) -> list[Delivery]:
    """Deliveries of the tenant's, the newest last."""
    now = timezone.now()
    values = {
        "tenant": tenant,
        "channel": "email",
        "target": "olive@northwind.example",
        "due_at": now,
    } | fields
    return [
        Delivery.objects.create(**{"kind": "test", "created_at": now + timedelta(seconds=n)} | values)
        for n in range(count)
    ]


class TestThresholds:
    def test_are_kept_per_metric_or_for_all(self, browser: Client, tenant: Tenant) -> None:
        asked = {
            "at:": ["80", "100"], "own:": "50, 120 %", "shown": ["api_calls", "users"], "like:users": "on",
            "at:users": ["90"], "at:api_calls": ["95"], "own:api_calls": "97", "tells_billing": "on",
        }  # fmt: skip
        response = browser.post(address(tenant, "set_thresholds"), asked)
        assert response["Location"] == address(tenant, "alerts")
        rows = dict(Threshold.objects.values_list("metric__code", "percents"))
        assert rows == {None: [50, 80, 100, 120], "api_calls": [95, 97]}
        choice = AlertChoice.objects.get()
        assert (choice.tells_refusals, choice.tells_billing) == (False, True)
        page = text(browser.get(address(tenant, "alerts")))
        assert 'value="50, 120"' in page
        assert 'value="97"' in page
        assert re.search(r'name="like:users" checked', page)
        assert not re.search(r'name="like:api_calls" checked', page)

    def test_leave_metrics_alone_that_the_page_did_not_show(self, browser: Client, tenant: Tenant) -> None:
        metric = Metric.objects.get(code="storage")
        Threshold.objects.create(tenant=tenant, metric=metric, percents=[42])
        browser.post(address(tenant, "set_thresholds"), {"at:": ["80"], "shown": ["api_calls"]})
        assert Threshold.objects.get(metric=metric).percents == [42]

    @pytest.mark.parametrize("own", ["abc", "0", "1001", "-5", "80.5", "1,2,3,4,5,6,7", "½"])
    def test_that_are_no_percents_are_refused(self, browser: Client, tenant: Tenant, own: str) -> None:
        response = browser.post(address(tenant, "set_thresholds"), {"at:": ["80"], "own:": own})
        assert response.status_code == 422
        assert "Use " in text(response)
        assert not Threshold.objects.exists()

    def test_are_what_is_judged(self, browser: Client, tenant: Tenant) -> None:
        browser.post(address(tenant, "set_thresholds"), {"own:": "120"})
        judge([reading(tenant, 1_100, limit(1_000, BILL))], timezone.now())
        judge([reading(tenant, 1_200, limit(1_000, BILL))], timezone.now())
        assert set(Alert.objects.values_list("kind", "percent", "is_sent")) == {
            ("threshold", 120, True),
            ("billed", 0, False),
        }


class TestSilence:
    def test_of_refusals_and_billing_is_kept(self, tenant: Tenant) -> None:
        AlertChoice.objects.create(tenant=tenant, tells_refusals=False, tells_billing=False)
        now = timezone.now()
        judge([reading(tenant, 5, 1_000, refused=1)], now)
        judge([reading(tenant, 1_001, limit(1_000, BILL, hard_limit=9_000), metric="storage")], now)
        assert set(Alert.objects.values_list("kind", "is_sent")) == {("refused", False), ("billed", False)}
        assert not Delivery.objects.exists()

    def test_by_operations_lasts_until_its_date(self, browser: Client, tenant: Tenant) -> None:
        now = timezone.now()
        AlertChoice.objects.create(tenant=tenant, paused_until=now + timedelta(days=1))
        cross(tenant, 800, now)
        assert not Delivery.objects.exists()
        assert "Operations have paused these alerts" in text(browser.get(address(tenant, "alerts")))
        cross(tenant, 900, now + timedelta(days=1))
        assert Delivery.objects.count() == 1
        assert list(Alert.objects.order_by("percent").values_list("is_sent", flat=True)) == [False, True]


class TestPeople:
    def test_are_chosen_by_ticks(
        self, browser: Client, tenant: Tenant, owner: User, make_user: MakeUser
    ) -> None:
        viewer = make_user("vera@northwind.example", "viewer", tenant)
        one = Membership.objects.get(user=viewer)
        browser.post(address(tenant, "set_people"), {"members": [one.pk]})
        assert set(MailChoice.objects.values_list("user__email", "is_wanted")) == {
            (owner.email, False),
            (viewer.email, True),
        }
        browser.post(
            address(tenant, "set_people"), {"members": [one.pk, Membership.objects.get(user=owner).pk]}
        )
        cross(tenant, 800, timezone.now())
        assert set(Delivery.objects.values_list("target", flat=True)) == {owner.email, viewer.email}

    def test_of_other_tenants_can_not_be_ticked(
        self, browser: Client, tenant: Tenant, make_tenant: MakeTenant, make_user: MakeUser
    ) -> None:
        other = make_user("eve@other.example", "owner", make_tenant("other"))
        asked = {"members": [Membership.objects.get(user=other).pk]}
        assert browser.post(address(tenant, "set_people"), asked).status_code == 400

    def test_of_none_is_warned_of(self, browser: Client, tenant: Tenant) -> None:
        response = browser.post(address(tenant, "set_people"), {}, follow=True)
        assert "Nobody gets mail now" in text(response)
        assert "Nobody: operations are told" in text(response)


class TestChannels:
    def test_show_a_webhooks_secret_once(self, browser: Client, tenant: Tenant) -> None:
        response = browser.post(address(tenant, "add_channel"), {"kind": "webhook", "url": URL})
        (made,) = Endpoint.objects.all()
        (secret,) = made.secrets(timezone.now())
        assert secret in text(response)
        assert response["Cache-Control"] == "no-store"
        page = text(browser.get(address(tenant, "alerts")))
        assert secret not in page
        assert f"whsec_…{secret[-4:]}" in page
        assert (made.label, made.url, made.created_by) == ("hooks.example", URL, User.objects.get())

    def test_rotate_a_secret(self, browser: Client, tenant: Tenant) -> None:
        made, old = endpoint(tenant, URL)
        response = browser.post(address(tenant, "change_channel", pk=str(made.pk)), {"do": "rotate"})
        made.refresh_from_db()
        new, before = made.secrets(timezone.now())
        assert (new in text(response), before) == (True, old)
        assert "the secret before signs too" in text(browser.get(address(tenant, "alerts")))

    def test_never_show_slacks_address(self, browser: Client, tenant: Tenant) -> None:
        asked = {"kind": "slack", "url": "https://hooks.slack.com/services/T0/B0/secret", "name": "#alerts"}
        response = browser.post(address(tenant, "add_channel"), asked, follow=True)
        assert "#alerts" in text(response)
        assert "B0/secret" not in text(response)

    @pytest.mark.parametrize("url", ["http://hooks.example/", "https://u:p@hooks.example/", "nonsense", ""])
    def test_refuse_addresses_that_can_not_be_called(self, browser: Client, tenant: Tenant, url: str) -> None:
        response = browser.post(address(tenant, "add_channel"), {"kind": "webhook", "url": url})
        assert response.status_code == 422
        assert 'aria-invalid="true"' in text(response)
        assert not Endpoint.objects.exists()

    def test_are_ten_at_most(self, browser: Client, tenant: Tenant) -> None:
        for _ in range(10):
            endpoint(tenant, URL)
        response = browser.post(address(tenant, "add_channel"), {"kind": "webhook", "url": URL})
        assert "Remove a channel first" in text(response)
        assert Endpoint.objects.count() == 10

    def test_are_tested_without_an_alert(self, browser: Client, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, URL)
        browser.post(address(tenant, "change_channel", pk=str(made.pk)), {"do": "test"})
        browser.post(address(tenant, "test_mail"))
        assert set(Delivery.objects.values_list("kind", "channel")) == {
            ("test", "webhook"),
            ("test", "email"),
        }
        assert not Alert.objects.exists()

    def test_are_removed(self, browser: Client, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, URL)
        browser.post(address(tenant, "change_channel", pk=str(made.pk)), {"do": "remove"})
        assert not Endpoint.objects.exists()

    def test_of_other_tenants_are_out_of_reach(
        self, browser: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        made, _ = endpoint(make_tenant("other"), URL)
        for do in ("test", "rotate", "remove"):
            response = browser.post(address(tenant, "change_channel", pk=str(made.pk)), {"do": do})
            assert response.status_code == 404
        assert Endpoint.objects.count() == 1

    def test_that_fail_are_said_at_the_top(self, browser: Client, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, URL)
        now = timezone.now()
        Endpoint.objects.filter(pk=made.pk).update(state="failing", reason="401 Unauthorized", since=now)
        sent(tenant, 2, channel="webhook", endpoint=made, due_at=now + timedelta(minutes=5))
        page = text(browser.get(address(tenant, "alerts")))
        assert "Webhook hooks.example has not accepted an alert since" in page
        assert "401 Unauthorized" in page
        assert "2 messages wait; the next attempt is at" in page
        Endpoint.objects.filter(pk=made.pk).update(state="disabled", reason="410 Gone")
        assert "is disabled since" in text(browser.get(address(tenant, "alerts")))


class TestViewers:
    def test_look_and_change_nothing(self, viewer: Client, tenant: Tenant) -> None:
        endpoint(tenant, URL)
        sent(tenant, status="dead", error="550 no")
        page = text(viewer.get(address(tenant, "alerts")))
        assert "Thresholds" in page
        assert "550 no" in page
        for button in ("Save thresholds", "Send test", "Retry", URL, "whsec_"):
            assert button not in page


class TestLog:
    def test_says_what_became_of_each(self, browser: Client, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, URL)
        later = timezone.now() + timedelta(hours=3)
        sent(
            tenant, channel="webhook", endpoint=made, target="hooks.example", attempts=6, error="401 Unauthorized",
            answer=401, took_ms=1_212, due_at=later, kind="alert",
        )  # fmt: skip
        page = text(browser.get(address(tenant, "alerts")))
        for words in ("6 of 10", "401 Unauthorized", "1,212 ms", f"{later:%H:%M}", "Retry", "hooks.example"):
            assert words in page

    def test_masks_mailboxes(self, browser: Client, tenant: Tenant) -> None:
        sent(tenant, target="zoe@elsewhere.example")
        page = text(browser.get(address(tenant, "alerts")))
        assert "z…@elsewhere.example" in page
        assert "zoe@" not in page

    def test_is_narrowed_and_paged_by_htmx(self, browser: Client, tenant: Tenant) -> None:
        sent(tenant, 30, status="dead", error="gone")
        sent(tenant, 3, channel="slack", target="#alerts")
        response = browser.get(address(tenant, "alerts"), {"status": "failed"}, headers=HTMX)
        assert swapped(response) == {"rows", "pager"}
        assert text(response).count("<tr role") == 26
        assert "#alerts" not in text(response)
        assert response["HX-Push-Url"].endswith("?status=failed")
        older = re.search(r'id="go-older" href="([^"]+)"', text(response))
        assert older
        rest = browser.get(older[1].replace("&amp;", "&"), headers=HTMX)
        assert text(rest).count("<tr role") == 6

    def test_does_not_show_what_operations_were_told(
        self, browser: Client, tenant: Tenant, staff: User
    ) -> None:
        cross(tenant, 1_000, timezone.now())
        assert Delivery.objects.filter(target=staff.email).exists()
        page = text(browser.get(address(tenant, "alerts")))
        assert "s…@ops.example" not in page
        assert page.count("<tr role") == 2

    @pytest.mark.parametrize("how", ["only", "delivery", "all"])
    def test_sends_again_what_was_given_up(self, browser: Client, tenant: Tenant, how: str) -> None:
        (one,) = sent(tenant, status="dead", error="550 no", attempts=10)
        asked = {how: "on" if how == "all" else str(one.pk)}
        response = browser.post(address(tenant, "resend_alerts"), asked, follow=True)
        assert "1 message is sent again." in text(response)
        one.refresh_from_db()
        assert (one.status, one.attempts, one.error) == ("waiting", 0, "")

    def test_tries_what_waits_ahead_of_its_time(self, browser: Client, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, URL)
        later = timezone.now() + timedelta(hours=3)
        Endpoint.objects.update(rests_until=later)
        (one,) = sent(tenant, channel="webhook", endpoint=made, attempts=4, error="500 no", due_at=later)
        browser.post(address(tenant, "resend_alerts"), {"only": str(one.pk)})
        one.refresh_from_db()
        made.refresh_from_db()
        assert (one.attempts, made.rests_until) == (4, None)
        assert one.due_at < later

    def test_leaves_alone_what_is_on_its_way(self, browser: Client, tenant: Tenant) -> None:
        made, _ = endpoint(tenant, URL)
        later = timezone.now() + timedelta(seconds=20)
        Endpoint.objects.update(taken_until=later)
        (one,) = sent(tenant, channel="webhook", endpoint=made, attempts=1, due_at=later)
        browser.post(address(tenant, "resend_alerts"), {"only": str(one.pk)})
        one.refresh_from_db()
        assert one.due_at == later

    def test_sends_nothing_of_another_tenant_again(
        self, browser: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        (one,) = sent(make_tenant("other"), status="dead")
        browser.post(address(tenant, "resend_alerts"), {"only": str(one.pk)})
        one.refresh_from_db()
        assert one.status == "dead"

    @pytest.mark.parametrize("asked", [{}, {"only": "x"}, {"delivery": "nonsense"}])
    def test_refuses_what_names_nothing(self, browser: Client, tenant: Tenant, asked: dict[str, str]) -> None:
        assert browser.post(address(tenant, "resend_alerts"), asked).status_code == 400


class TestStaff:
    @pytest.fixture
    def operator(self, client_for: Callable[[User], Client], staff: User) -> Client:
        return client_for(staff)

    def test_see_everybodys_with_the_tenant(
        self, operator: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        sent(make_tenant("other"), status="dead", error="550 no")
        made, _ = endpoint(tenant, URL)
        Endpoint.objects.filter(pk=made.pk).update(state="failing", reason="500 no")
        page = text(operator.get("/staff/deliveries/"))
        assert "Other" in page
        assert "Channels that take nothing now" in page
        assert 'aria-current="page">Deliveries' in page
        assert swapped(operator.get("/staff/deliveries/?status=failed", headers=HTMX)) == {"rows", "pager"}

    def test_find_one_tenants_by_its_slug(
        self, operator: Client, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        for one, target in ((tenant, "a@northwind.example"), (make_tenant("acme"), "b@acme.example")):
            sent(one, status="dead", target=target)
        page = text(operator.get("/staff/deliveries/?tenant=acme&status=failed"))
        assert "b…@acme.example" in page
        assert "northwind.example" not in page
        assert 'value="acme"' in page
        assert "Nothing fits" in text(operator.get("/staff/deliveries/?tenant=nowhere"))

    def test_send_all_that_was_given_up_again(self, operator: Client, tenant: Tenant) -> None:
        sent(tenant, 3, status="dead", error="550 no", attempts=10)
        response = operator.post("/staff/deliveries/resend/", {"all": "on"}, follow=True)
        assert "3 messages are sent again." in text(response)
        assert Delivery.objects.filter(status="waiting", attempts=0).count() == 3

    def test_without_the_permission_only_look(
        self, client_for: Callable[[User], Client], make_user: MakeUser, tenant: Tenant
    ) -> None:
        clerk = client_for(make_user("carol@ops.example", is_staff=True))
        sent(tenant, status="dead")
        assert "Retry" not in text(clerk.get("/staff/deliveries/"))
        assert clerk.post("/staff/deliveries/resend/", {"all": "on"}).status_code == 403

    def test_test_their_own_slack(self, operator: Client, settings: Any) -> None:
        settings.HEADROOM_OPS_SLACK_URL = "https://hooks.slack.com/services/T0/B0/x"
        assert "Test operations&#x27; Slack" in text(operator.get("/staff/deliveries/")).replace(
            "'", "&#x27;"
        )
        operator.post("/staff/deliveries/test/")
        row = Delivery.objects.get()
        assert (row.tenant, row.kind, row.channel, row.target) == (None, "test", "slack", "operations")
