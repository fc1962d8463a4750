"""The tenants' pages as their readers get them: who may look, what is polled, what is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Plan
from tenants.keys import create_key
from tenants.models import Membership, Tenant, User
from tests.conftest import LONG_AGO, MakeTenant, MakeUser
from tests.usage.counted import refuse, use
from tests.usage.pages import HTMX, address, seen, swapped, text
from usage.metering import Charge, consume
from usage.models import Notice

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

Browser = Callable[[User], Client]
PAGES = [
    ("overview", {}),
    ("metric", {"code": "api_calls"}),
    ("plan", {}),
    ("alerts", {}),
]


@pytest.fixture
def pro(make_tenant: MakeTenant) -> Tenant:
    """A tenant in billed overage, with refusals."""
    tenant = make_tenant("acme", "pro")
    use(tenant, "api_calls", 501_500, at=timezone.now())
    refuse(tenant, "api_calls", 3, at=timezone.now())
    return tenant


@pytest.fixture
def in_role(make_user: MakeUser, client_for: Browser, pro: Tenant) -> Callable[[str], Client]:
    """The browser of a member of the billed tenant."""
    return lambda role: client_for(make_user(f"{role}@acme.example", role, pro))


@pytest.mark.parametrize(("name", "parts"), PAGES)
class TestReaders:
    @pytest.mark.parametrize("role", Membership.Role.values)
    def test_of_every_role_may_look(
        self, in_role: Callable[[str], Client], pro: Tenant, name: str, parts: dict[str, str], role: str
    ) -> None:
        response = in_role(role).get(address(pro, name, **parts))
        assert response.status_code == 200
        assert "Acme" in text(response)

    def test_of_another_tenant_find_nothing(
        self, client_for: Browser, owner: User, pro: Tenant, name: str, parts: dict[str, str]
    ) -> None:
        assert client_for(owner).get(address(pro, name, **parts)).status_code == 404
        assert client_for(owner).get(address(pro, name, **parts), headers=HTMX).status_code == 404

    def test_without_a_name_sign_in_first(
        self, client: Client, pro: Tenant, name: str, parts: dict[str, str]
    ) -> None:
        response = client.get(address(pro, name, **parts))
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/")

    def test_of_operations_may_look_and_are_told_so(
        self, client_for: Browser, staff: User, pro: Tenant, name: str, parts: dict[str, str]
    ) -> None:
        response = client_for(staff).get(address(pro, name, **parts))
        assert response.status_code == 200
        assert "Viewing as staff" in text(response)

    def test_who_only_view_see_no_money(
        self, in_role: Callable[[str], Client], pro: Tenant, name: str, parts: dict[str, str]
    ) -> None:
        assert "$" not in text(in_role("viewer").get(address(pro, name, **parts)))

    def test_cost_few_queries(
        self,
        in_role: Callable[[str], Client],
        pro: Tenant,
        name: str,
        parts: dict[str, str],
        django_assert_max_num_queries: Any,
    ) -> None:
        browser = in_role("owner")
        browser.get(address(pro, name, **parts))
        most = {"alerts": 16}.get(name, 12)  # settings, channels, people and a log on one page
        with django_assert_max_num_queries(most):
            browser.get(address(pro, name, **parts))

    def test_get_no_inline_style_or_script(
        self, in_role: Callable[[str], Client], pro: Tenant, name: str, parts: dict[str, str]
    ) -> None:
        page = text(in_role("owner").get(address(pro, name, **parts)))
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", page)


class TestOverview:
    def test_answers_a_poll_with_the_parts_that_changed(
        self, in_role: Callable[[str], Client], pro: Tenant
    ) -> None:
        browser = in_role("owner")
        version = seen(browser.get(address(pro)))
        consume(pro, Charge("api_calls", 600_000), at=timezone.now())
        response = browser.get(address(pro), {"seen": version}, headers=HTMX)
        assert response.status_code == 200
        assert swapped(response) == {
            "verdict",
            "summary",
            "gauges",
            "counted",
        }
        assert "<html" not in text(response)
        assert seen(response) != version
        assert "HX-Request" in response["Vary"]

    def test_answers_an_unchanged_poll_with_the_time_alone(
        self, in_role: Callable[[str], Client], pro: Tenant
    ) -> None:
        browser = in_role("owner")
        version = seen(browser.get(address(pro)))
        response = browser.get(address(pro), {"seen": version}, headers=HTMX)
        assert response.status_code == 204
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", response["X-Counted-To"])
        assert "HX-Request" in response["Vary"]

    def test_shows_an_answered_call_at_once(self, client_for: Browser, owner: User, tenant: Tenant) -> None:
        browser = client_for(owner)
        assert "999</b>" not in text(browser.get(address(tenant)))
        consume(tenant, Charge("api_calls"), at=timezone.now())
        assert "<b>999</b>" in text(browser.get(address(tenant)))

    def test_teaches_who_has_used_nothing(self, client_for: Browser, owner: User, tenant: Tenant) -> None:
        prefix = create_key(tenant, name="first", at=LONG_AGO).key.prefix
        page = text(client_for(owner).get(address(tenant)))
        assert "Nothing counted yet" in page
        assert f"Bearer hr_{prefix}_…" in page

    def test_leads_who_has_no_key_to_one(self, client_for: Browser, owner: User, tenant: Tenant) -> None:
        page = text(client_for(owner).get(address(tenant)))
        assert "There is no API key yet." in page
        assert f'id="go-keys" href="{address(tenant, "keys")}"' in page

    def test_says_all_of_it_without_scripts(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        page = text(in_role("owner").get(address(pro)))
        for words in ("Past the calls that Pro includes", "$200.50", "Over · billed", "+1,500", "Counted to"):
            assert words in page

    def test_lists_the_readers_tenants_with_their_plans(
        self, client_for: Browser, owner: User, tenant: Tenant, make_tenant: MakeTenant
    ) -> None:
        second = make_tenant("second", "starter")
        Membership.objects.create(tenant=second, user=owner, role="viewer")
        make_tenant("strange")
        page = text(client_for(owner).get(address(tenant)))
        assert 'Second <span class="badge">Starter</span>' in page
        assert 'Northwind <span class="badge">Free</span>' in page
        assert "Strange" not in page


class TestMetric:
    def test_is_found_from_the_tab(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        response = in_role("viewer").get(address(pro, "metrics"))
        assert response["Location"] == address(pro, "metric", code="api_calls")

    def test_that_does_not_exist_is_not_found(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        assert in_role("owner").get(address(pro, "metric", code="gold")).status_code == 404

    @pytest.mark.parametrize("code", ["api_calls", "storage", "users", "bandwidth"])
    @pytest.mark.parametrize("window", ["period", "previous", "24h", "7d", "30d", "90d", "60d"])
    def test_shows_every_kind_in_every_window(
        self, in_role: Callable[[str], Client], pro: Tenant, code: str, window: str
    ) -> None:
        response = in_role("owner").get(address(pro, "metric", code=code), {"range": window})
        assert response.status_code == 200
        chosen = "period" if window == "60d" else window  # what is unknown
        assert re.search(rf'id="go-{chosen}"[^>]*aria-current="true"', text(response))

    def test_swaps_the_window_alone(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        response = in_role("owner").get(
            address(pro, "metric", code="api_calls"), {"range": "90d"}, headers=HTMX
        )
        page = text(response)
        assert page.lstrip().startswith('<section class="card" id="chart"')
        assert swapped(response) == {"ranges", "csv", "kept", "method", "breakdown", "refusals"}
        assert "<html" not in page
        assert 'id="figures"' not in page

    def test_is_polled_for_its_figures(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        browser, here = in_role("owner"), address(pro, "metric", code="api_calls")
        version = seen(browser.get(here))
        assert browser.get(here, {"seen": version}, headers=HTMX).status_code == 204
        changed = browser.get(here, {"seen": "older"}, headers=HTMX)
        assert swapped(changed) == {
            "state",
            "figures",
            "counted",
        }

    def test_lists_refusals_by_hour_and_policy(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        refuse(pro, "api_calls", 12, at=timezone.now(), cause="burst")
        page = text(in_role("owner").get(address(pro, "metric", code="api_calls")))
        assert re.search(r"<td>burst</td>\s*<td class=\"num\">12</td>", page)

    def test_has_the_days_as_a_table_that_sums(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        use(pro, "api_calls", 500, at=timezone.now(), label="GET /b")
        page = text(in_role("owner").get(address(pro, "metric", code="api_calls")))
        row = page[page.rindex('<tr id="day-') : page.index("</tbody>", page.rindex('<tr id="day-'))]
        assert re.findall(r'class="num">([\d,]+)<', row) == ["501,500", "500", "502,000", "502,000"]


class TestPlan:
    def test_asks_once_however_often_it_is_pressed(
        self, in_role: Callable[[str], Client], pro: Tenant
    ) -> None:
        browser = in_role("owner")
        for _ in range(2):
            response = browser.post(address(pro, "ask_plan"), {"plan": "enterprise"})
            assert response["Location"] == address(pro, "plan")
        wish = Notice.objects.get()
        assert (wish.tenant, wish.kind, wish.text) == (pro, "plan", "Acme asks for Enterprise.")
        assert wish.author is not None
        page = text(browser.get(address(pro, "plan")))
        assert "Asked, waiting" in page
        assert "Asked for Enterprise." in page

    def test_may_be_asked_again_once_it_was_seen(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        browser = in_role("admin")
        browser.post(address(pro, "ask_plan"), {"plan": "enterprise"})
        Notice.objects.update(seen_at=timezone.now())
        browser.post(address(pro, "ask_plan"), {"plan": "enterprise"})
        assert Notice.objects.count() == 2

    def test_answers_htmx_with_the_plans_alone(self, in_role: Callable[[str], Client], pro: Tenant) -> None:
        response = in_role("admin").post(address(pro, "ask_plan"), {"plan": "enterprise"}, headers=HTMX)
        assert text(response).lstrip().startswith('<div class="plans" id="plans">')
        assert "Asked, waiting" in text(response)

    def test_is_not_asked_by_viewers_who_read_who_can(
        self, in_role: Callable[[str], Client], pro: Tenant, make_user: MakeUser
    ) -> None:
        make_user("priya@acme.example", "owner", pro, first_name="Priya", last_name="Raman")
        browser = in_role("viewer")
        page = text(browser.get(address(pro, "plan")))
        assert "Ask for this plan" not in page
        assert "Who can: Priya Raman." in page
        assert browser.post(address(pro, "ask_plan"), {"plan": "enterprise"}).status_code == 403
        assert not Notice.objects.exists()

    def test_is_not_asked_by_operations_or_strangers(
        self, client_for: Browser, staff: User, owner: User, pro: Tenant
    ) -> None:
        assert client_for(staff).post(address(pro, "ask_plan"), {"plan": "enterprise"}).status_code == 403
        assert client_for(owner).post(address(pro, "ask_plan"), {"plan": "enterprise"}).status_code == 404
        assert not Notice.objects.exists()

    @pytest.mark.parametrize("plan", ["", "gold", "enterprise"])
    def test_is_only_asked_where_it_is_on_offer(
        self, in_role: Callable[[str], Client], pro: Tenant, plan: str
    ) -> None:
        Plan.objects.filter(slug="enterprise").update(is_public=False)
        assert in_role("owner").post(address(pro, "ask_plan"), {"plan": plan}).status_code == 404
