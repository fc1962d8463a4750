"""The page of plans as its readers get it: what they may do, what they see before they do it, and what it did."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from billing.courses import course
from billing.models import EntitlementChange, Plan
from billing.subscriptions import cancel, change_plan
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.forms import form_data
from tests.usage.counted import use
from tests.usage.pages import HTMX, address, swapped, text
from usage.wishes import ask_for_plan

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

Browser = Callable[[User], Client]
In = Callable[[str], Client]
DOORS = ("switch_plan", "cancel_plan", "withdraw_plan")


@pytest.fixture(autouse=True)
def _self_service(settings: Settings) -> None:
    settings.HEADROOM_SELF_SERVICE_PLANS = True


@pytest.fixture
def acme(make_tenant: MakeTenant) -> Tenant:
    """A tenant that has used up the calls of its plan, Starter."""
    tenant = make_tenant("acme", "starter")
    use(tenant, "api_calls", 50_000, at=timezone.now())
    return tenant


@pytest.fixture
def in_role(make_user: MakeUser, client_for: Browser, acme: Tenant) -> In:
    """The browser of a member; the same one for a role each time."""
    known: dict[str, Client] = {}

    def browser(role: str) -> Client:
        if role not in known:
            known[role] = client_for(
                make_user(f"{role}@acme.example", role, acme, first_name=role.title(), last_name="Acme")
            )
        return known[role]

    return browser


def plan(slug: str) -> Plan:
    return Plan.objects.get(slug=slug)


def state(tenant: Tenant) -> tuple[str, str]:
    """The plan the tenant is on, and the one that is scheduled."""
    now = course(tenant, timezone.now())
    return now.plan.slug, now.scheduled.plan.slug if now.scheduled else ""


def agreed(tenant: Tenant, **more: str) -> dict[str, str]:
    """What the form of a decision sends."""
    return {"seen": course(tenant, timezone.now()).mark, "confirmed": "yes", **more}


def decide(browser: Client, tenant: Tenant, query: str, door: str, **changes: Any) -> Any:
    """Look at what a choice does, then say yes to it, as a browser without scripts does."""
    shown = browser.get(f"{address(tenant, 'plan')}?{query}")
    return browser.post(address(tenant, door), form_data(shown, "decision", **changes), follow=True)


class TestButtons:
    def test_let_owners_switch_by_the_size_of_the_plan(self, in_role: In, acme: Tenant) -> None:
        page = text(in_role("owner").get(address(acme, "plan")))
        assert page.count(">Switch now<") == 2
        assert page.count(">Switch on 1 ") == 1
        assert "Ask for this plan" not in page.replace("“Ask for this plan”", "")
        assert "You can switch, because you own Acme." in page
        assert "who can do it: Owner Acme." in page
        assert "Cancel Starter" in page

    def test_let_admins_ask(self, in_role: In, acme: Tenant) -> None:
        in_role("owner")
        page = text(in_role("admin").get(address(acme, "plan")))
        assert page.count(">Ask for this plan<") == 3
        assert not re.search(">Switch (now|on)", page)
        assert "Operations and the owners get your question. Who can: Owner Acme." in page

    def test_are_not_for_viewers_who_read_who_can(self, in_role: In, acme: Tenant) -> None:
        in_role("owner")
        page = text(in_role("viewer").get(address(acme, "plan")))
        assert ">Ask for this plan<" not in page
        assert not re.search(">Switch (now|on)", page)
        assert "Owners switch plans." in page
        assert "Who can: Owner Acme." in page

    def test_lead_operations_to_the_admin(
        self, client_for: Browser, staff: User, make_user: MakeUser, acme: Tenant
    ) -> None:
        page = text(client_for(staff).get(address(acme, "plan")))
        assert f"/admin/tenants/tenant/{acme.pk}/plan/" in page
        assert not re.search(">Switch (now|on)", page)
        clerk = make_user("carol@ops.example", is_staff=True)
        assert "/admin/tenants/tenant/" not in text(client_for(clerk).get(address(acme, "plan")))

    def test_tell_owners_who_asked(self, in_role: In, acme: Tenant) -> None:
        in_role("admin")
        person = User.objects.get(email="admin@acme.example")
        ask_for_plan(acme, plan("pro"), person=person, at=timezone.now())
        page = text(in_role("owner").get(address(acme, "plan")))
        assert "Admin Acme asks for it" in page
        assert page.count(">Switch now<") == 2

    def test_ask_operations_where_owners_do_not_switch(
        self, in_role: In, acme: Tenant, settings: Settings
    ) -> None:
        settings.HEADROOM_SELF_SERVICE_PLANS = False
        page = text(in_role("owner").get(address(acme, "plan")))
        assert page.count(">Ask for this plan<") == 3
        assert not re.search(">Switch (now|on)", page)
        assert "Cancel Starter" not in page

    def test_ask_operations_about_a_plan_of_ones_own(self, in_role: In, acme: Tenant) -> None:
        Plan.objects.filter(slug="starter").update(is_public=False)
        page = text(in_role("owner").get(address(acme, "plan")))
        assert page.count(">Ask for this plan<") == 3
        assert not re.search(">Switch (now|on)", page)


class TestDoors:
    @pytest.mark.parametrize("door", DOORS)
    @pytest.mark.parametrize("role", [Membership.Role.VIEWER, Membership.Role.ADMIN])
    def test_are_closed_to_smaller_roles(self, in_role: In, acme: Tenant, door: str, role: str) -> None:
        answer = in_role(role).post(address(acme, door), agreed(acme, plan="pro"))
        assert answer.status_code == 403
        assert state(acme) == ("starter", "")

    @pytest.mark.parametrize("door", DOORS)
    def test_are_closed_to_strangers_and_operations(
        self, client_for: Browser, owner: User, staff: User, client: Client, acme: Tenant, door: str
    ) -> None:
        sent = agreed(acme, plan="pro")
        assert client_for(owner).post(address(acme, door), sent).status_code == 404
        assert client_for(staff).post(address(acme, door), sent).status_code == 403
        assert client.post(address(acme, door), sent)["Location"].startswith("/sign-in/")
        assert state(acme) == ("starter", "")

    @pytest.mark.parametrize("door", DOORS)
    def test_are_closed_where_owners_do_not_switch(
        self, in_role: In, acme: Tenant, settings: Settings, door: str
    ) -> None:
        Plan.objects.filter(slug="starter").update(is_public=False)
        assert in_role("owner").post(address(acme, door), agreed(acme, plan="pro")).status_code == 403
        Plan.objects.filter(slug="starter").update(is_public=True)
        settings.HEADROOM_SELF_SERVICE_PLANS = False
        assert in_role("owner").post(address(acme, door), agreed(acme, plan="pro")).status_code == 403
        assert state(acme) == ("starter", "")

    @pytest.mark.parametrize("slug", ["", "gold", "enterprise"])
    def test_lead_only_to_plans_on_offer(self, in_role: In, acme: Tenant, slug: str) -> None:
        Plan.objects.filter(slug="enterprise").update(is_public=False)
        sent = agreed(acme, plan=slug)
        assert in_role("owner").post(address(acme, "switch_plan"), sent).status_code == 404
        if slug:
            assert in_role("owner").get(address(acme, "plan"), {"to": slug}).status_code == 404


class TestSwitch:
    def test_shows_first_and_does_nothing_without_a_yes(self, in_role: In, acme: Tenant) -> None:
        for sent in ({"plan": "pro"}, agreed(acme, plan="pro", confirmed="")):
            answer = in_role("owner").post(address(acme, "switch_plan"), sent)
            assert answer["Location"] == f"{address(acme, 'plan')}?to=pro#effect"
        page = text(in_role("owner").get(answer["Location"]))
        assert "The limits of Pro act at once and for the whole period." in page
        assert "Switch to Pro now" in page
        assert state(acme) == ("starter", "")

    def test_to_a_larger_plan_acts_at_once(self, in_role: In, acme: Tenant) -> None:
        page = text(decide(in_role("owner"), acme, "to=pro", "switch_plan", reason="the launch"))
        assert state(acme) == ("pro", "")
        assert "Pro holds from now on. Its limits act within seconds." in page
        assert "Pro fits what is used now." in page
        change = EntitlementChange.objects.latest("pk")
        assert (change.actor, change.reason) == (
            User.objects.get(email="owner@acme.example"),
            "Starter → Pro: the launch",
        )

    def test_to_a_smaller_plan_is_shown_until_it_begins(self, in_role: In, acme: Tenant) -> None:
        page = text(decide(in_role("owner"), acme, "to=free", "switch_plan", reason="<b>small</b>"))
        assert state(acme) == ("starter", "free")
        assert "You can withdraw that until then." in page
        for name in ("plan", "overview"):
            page = text(in_role("viewer").get(address(acme, name)))
            assert "<b>Free begins on 1 " in page
            assert "By Owner Acme: “&lt;b&gt;small&lt;/b&gt;”." in page
            assert ">Withdraw<" not in page
        assert ">Withdraw<" in text(in_role("owner").get(address(acme, "plan")))

    def test_twice_is_done_once(self, in_role: In, acme: Tenant) -> None:
        sent = agreed(acme, plan="pro")
        for _ in range(2):
            in_role("owner").post(address(acme, "switch_plan"), sent)
        assert [change.reason for change in EntitlementChange.objects.order_by("pk")][1:] == ["Starter → Pro"]
        assert "Acme is on Pro already." in text(in_role("owner").get(address(acme, "plan")))

    def test_is_not_done_when_something_else_would_happen_by_now(self, in_role: In, acme: Tenant) -> None:
        sent = agreed(acme, plan="pro")
        change_plan(acme, plan("enterprise"), at=timezone.now(), actor=None, reason="")
        answer = in_role("owner").post(address(acme, "switch_plan"), sent, follow=True)
        assert answer.redirect_chain[-1][0] == f"{address(acme, 'plan')}?to=pro#effect"
        assert "Meanwhile the plan was changed. Look again: nothing was done." in text(answer)
        assert "Switch to Pro on 1 " in text(answer)
        assert state(acme) == ("enterprise", "")

    def test_replaces_what_is_scheduled_and_says_so_before(self, in_role: In, acme: Tenant) -> None:
        cancel(acme, at=timezone.now(), actor=None, reason="")
        page = text(in_role("owner").get(address(acme, "plan"), {"to": "pro"}))
        assert "It takes the place of what is scheduled: Free from 1 " in page
        decide(in_role("owner"), acme, "to=pro", "switch_plan")
        assert state(acme) == ("pro", "")

    def test_with_too_long_a_reason_is_asked_again(self, in_role: In, acme: Tenant) -> None:
        answer = in_role("owner").post(
            address(acme, "switch_plan"), agreed(acme, plan="pro", reason="x" * 201)
        )
        assert answer["Location"].endswith("?to=pro#effect")
        assert state(acme) == ("starter", "")

    def test_to_the_present_plan_says_so(self, in_role: In, acme: Tenant) -> None:
        answer = in_role("owner").get(address(acme, "plan"), {"to": "starter"}, follow=True)
        assert "Acme is on Starter already." in text(answer)


class TestCancel:
    def test_ends_the_plan_with_the_period(self, in_role: In, acme: Tenant) -> None:
        page = text(decide(in_role("owner"), acme, "end=1", "cancel_plan", reason="too dear"))
        assert state(acme) == ("starter", "free")
        assert "Starter ends on 1 " in page
        assert "Cancel Starter" not in page
        row = acme.subscriptions.get()
        assert (str(row.ended_by), row.end_reason) == ("Owner Acme", "too dear")

    def test_shows_first_what_remains(self, in_role: In, acme: Tenant) -> None:
        answer = in_role("owner").post(address(acme, "cancel_plan"), {})
        assert answer["Location"] == f"{address(acme, 'plan')}?end=1#effect"
        page = text(in_role("owner").get(answer["Location"]))
        assert "From Starter to Free" in page
        assert "Cancel Starter on 1 " in page

    def test_is_not_offered_on_the_default_plan(self, in_role: In, acme: Tenant) -> None:
        acme.subscriptions.all().delete()
        assert "Cancel Free" not in text(in_role("owner").get(address(acme, "plan")))
        answer = in_role("owner").post(address(acme, "cancel_plan"), agreed(acme), follow=True)
        assert "which is what remains without a subscription" in text(answer)


class TestWithdraw:
    def test_takes_back_what_the_page_shows(self, in_role: In, acme: Tenant) -> None:
        cancel(acme, at=timezone.now(), actor=None, reason="")
        in_role("owner").post(address(acme, "withdraw_plan"), agreed(acme))
        assert state(acme) == ("starter", "")
        assert "Starter goes on." in text(in_role("owner").get(address(acme, "plan")))

    def test_takes_back_nothing_else(self, in_role: In, acme: Tenant) -> None:
        cancel(acme, at=timezone.now(), actor=None, reason="")
        sent = agreed(acme)
        change_plan(acme, plan("free"), at=timezone.now(), actor=None, reason="")
        answer = in_role("owner").post(address(acme, "withdraw_plan"), sent, follow=True)
        assert "Meanwhile something else was scheduled. Look again" in text(answer)
        assert state(acme) == ("starter", "free")

    def test_of_nothing_says_so(self, in_role: In, acme: Tenant) -> None:
        answer = in_role("owner").post(address(acme, "withdraw_plan"), agreed(acme), follow=True)
        assert "Nothing is scheduled: Starter goes on." in text(answer)


class TestHtmx:
    def test_swaps_the_effect_of_a_choice_alone(self, in_role: In, acme: Tenant) -> None:
        answer = in_role("owner").get(address(acme, "plan"), {"to": "pro"}, headers=HTMX)
        assert text(answer).lstrip().startswith('<section class="card" id="effect"')
        assert "<html" not in text(answer)
        assert "HX-Request" in answer["Vary"]

    @pytest.mark.parametrize(
        ("door", "told"),
        [
            ("switch_plan", "Pro holds from now on."),
            ("cancel_plan", "then Free holds."),
            ("withdraw_plan", "Nothing is scheduled"),
        ],
    )
    def test_swaps_all_that_a_decision_changed(self, in_role: In, acme: Tenant, door: str, told: str) -> None:
        answer = in_role("owner").post(address(acme, door), agreed(acme, plan="pro"), headers=HTMX)
        assert text(answer).lstrip().startswith('<div class="plans" id="plans">')
        # The badge in the head has a name with a dash.
        assert swapped(answer) == {"verdict", "coming", "say", "effect", "banner"}
        assert '<span class="badge" id="here-plan" hx-swap-oob="true">' in text(answer)
        assert told in text(answer)

    def test_shows_the_choice_again_that_is_out_of_date(self, in_role: In, acme: Tenant) -> None:
        sent = agreed(acme, plan="pro")
        cancel(acme, at=timezone.now(), actor=None, reason="")
        page = text(in_role("owner").post(address(acme, "switch_plan"), sent, headers=HTMX))
        assert "Look again: nothing was done." in page
        assert 'id="decision"' in page
        assert state(acme) == ("starter", "free")

    def test_leaves_a_choice_that_would_change_nothing_by_now(self, in_role: In, acme: Tenant) -> None:
        change_plan(acme, plan("pro"), at=timezone.now(), actor=None, reason="")
        page = text(in_role("owner").post(address(acme, "switch_plan"), {"plan": "pro"}, headers=HTMX))
        assert "Acme is on Pro already." in page
        assert 'id="decision"' not in page


class TestEffect:
    def test_is_for_everybody_and_the_button_for_owners(self, in_role: In, acme: Tenant) -> None:
        page = text(in_role("viewer").get(address(acme, "plan"), {"to": "pro"}))
        assert "From Starter to Pro" in page
        assert 'id="decision"' not in page
        assert "$" not in page

    def test_costs_few_queries(
        self, in_role: In, acme: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        cancel(acme, at=timezone.now(), actor=User.objects.first(), reason="")
        browser = in_role("owner")
        browser.get(address(acme, "plan"), {"to": "pro"})
        with django_assert_max_num_queries(15):  # with who scheduled what, and the owners' names
            browser.get(address(acme, "plan"), {"to": "pro"})
