"""How a tenant's plan is changed, now and later, cancelled and left as it was; also by many at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from billing.book import NoDefaultPlan
from billing.courses import NothingChanges, When, course, courses, scheduled
from billing.entitlements import entitlements
from billing.models import EntitlementChange, Plan, Subscription
from billing.subscriptions import Outdated, cancel, change_plan, remove, schedule, subscribe, withdraw
from tenants.models import Tenant, User
from tests.conftest import LONG_AGO, MakeTenant

AT = datetime(2026, 11, 23, 14, tzinfo=UTC)
TURN = datetime(2026, 12, 1, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)


def plan(slug: str) -> Plan:
    return Plan.objects.get(slug=slug)


def chain(tenant: Tenant) -> list[tuple[str, datetime, datetime | None]]:
    return list(tenant.subscriptions.values_list("plan__slug", "starts", "ends"))


def on(tenant: Tenant, at: datetime) -> str:
    return entitlements(tenant, at).plan.slug


def told(tenant: Tenant) -> tuple[str, str]:
    last = EntitlementChange.objects.filter(tenant=tenant).latest("version")
    return last.get_kind_display(), last.reason


def change(
    tenant: Tenant, slug: str, *, at: datetime = AT, reason: str = "", when: When | None = None
) -> None:
    change_plan(tenant, plan(slug), at=at, actor=None, reason=reason, when=when)


@pytest.fixture
def starter(make_tenant: MakeTenant) -> Tenant:
    """A tenant on the plan Starter, whose periods are calendar months."""
    return make_tenant("acme", "starter")


@pytest.mark.django_db
class TestChangePlan:
    def test_to_a_larger_one_acts_at_once(self, starter: Tenant, staff: User) -> None:
        done = change_plan(starter, plan("pro"), at=AT, actor=staff, reason="launch")
        assert (done.is_at_once, done.begins, done.before.slug, done.plan.slug) == (
            True,
            AT,
            "starter",
            "pro",
        )
        assert chain(starter) == [("starter", LONG_AGO, AT), ("pro", AT, None)]
        assert told(starter) == ("Plan changed", "Starter → Pro: launch")
        row = starter.subscriptions.latest("starts")
        assert (row.author, row.reason) == (staff, "launch")

    def test_to_a_smaller_one_begins_with_the_next_period(self, starter: Tenant) -> None:
        done = change_plan(starter, plan("free"), at=AT, actor=None, reason="")
        assert (done.is_at_once, done.begins) == (False, TURN)
        assert chain(starter) == [("starter", LONG_AGO, TURN), ("free", TURN, None)]
        assert (on(starter, TURN - DAY), on(starter, TURN)) == ("starter", "free")
        assert told(starter) == ("Change of plan scheduled", "Starter → Free on 1 Dec 2026, 00:00 UTC")

    def test_goes_by_the_tenants_own_period(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("acme", "starter", anchor_day=9)
        assert change_plan(tenant, plan("free"), at=AT, actor=None, reason="").begins == datetime(
            2026, 12, 9, tzinfo=UTC
        )

    def test_of_the_same_fee_goes_by_the_position(self, starter: Tenant) -> None:
        Plan.objects.create(slug="more", name="More", base_fee=29, position=99)
        Plan.objects.create(slug="less", name="Less", base_fee=29, position=0)
        assert course(starter, AT).changed_to(plan("more")).is_at_once
        assert not course(starter, AT).changed_to(plan("less")).is_at_once

    def test_from_the_default_plan_begins_a_first_subscription(self, tenant: Tenant) -> None:
        change(tenant, "starter")
        assert chain(tenant) == [("starter", AT, None)]

    def test_happens_when_operations_say(self, starter: Tenant) -> None:
        change(starter, "pro", when=When.NEXT)
        assert chain(starter) == [("starter", LONG_AGO, TURN), ("pro", TURN, None)]
        change(starter, "free", at=AT + DAY, when=When.NOW)
        assert chain(starter) == [("starter", LONG_AGO, AT + DAY), ("free", AT + DAY, None)]

    def test_replaces_what_was_scheduled(self, starter: Tenant) -> None:
        change(starter, "free")
        done = change_plan(starter, plan("pro"), at=AT + DAY, actor=None, reason="")
        assert done.replaces
        assert done.replaces.plan.slug == "free"
        assert chain(starter) == [("starter", LONG_AGO, AT + DAY), ("pro", AT + DAY, None)]

    def test_replaces_also_what_would_have_begun_before(self, tenant: Tenant) -> None:
        schedule(tenant, plan("pro"), begins=AT + DAY, at=AT, actor=None, reason="")
        change(tenant, "enterprise", when=When.NEXT)
        assert chain(tenant) == [("enterprise", TURN, None)]

    def test_replaces_a_cancellation(self, starter: Tenant, staff: User) -> None:
        cancel(starter, at=AT, actor=staff, reason="too dear")
        change(starter, "pro")
        first = starter.subscriptions.earliest("starts")
        assert (first.ends, first.ended_by, first.end_reason) == (AT, None, "")

    def test_begins_where_the_present_one_ends_before_the_period_does(self, starter: Tenant) -> None:
        starter.subscriptions.update(ends=AT + DAY)
        change(starter, "free")
        assert chain(starter) == [("starter", LONG_AGO, AT + DAY), ("free", AT + DAY, None)]

    def test_to_the_present_one_is_refused_by_name(self, starter: Tenant) -> None:
        with pytest.raises(NothingChanges, match=r"Acme is on Starter already\."):
            change(starter, "starter")

    def test_to_what_is_scheduled_is_refused_with_its_day(self, starter: Tenant) -> None:
        change(starter, "free")
        with pytest.raises(NothingChanges, match=r"Free begins on 1 Dec 2026, 00:00 UTC already\."):
            change(starter, "free")

    def test_to_what_was_agreed_to_and_nothing_else(self, starter: Tenant) -> None:
        shown = course(starter, AT).changed_to(plan("pro")).mark
        change_plan(starter, plan("enterprise"), at=AT, actor=None, reason="", as_shown=shown)
        with pytest.raises(Outdated):
            change_plan(starter, plan("pro"), at=AT, actor=None, reason="", as_shown=shown)
        assert on(starter, AT) == "enterprise"

    def test_is_not_what_was_agreed_to_once_the_period_is_over(self, starter: Tenant) -> None:
        shown = course(starter, AT).changed_to(plan("free")).mark
        with pytest.raises(Outdated):
            change_plan(starter, plan("free"), at=TURN, actor=None, reason="", as_shown=shown)

    def test_leaves_no_trace_where_it_fails(self, starter: Tenant) -> None:
        before = chain(starter)
        with transaction.atomic():
            change(starter, "pro")
            transaction.set_rollback(True)
        assert chain(starter) == before

    def test_needs_a_default_plan(self, starter: Tenant, settings: Settings) -> None:
        settings.HEADROOM_DEFAULT_PLAN = "gone"
        with pytest.raises(NoDefaultPlan, match="HEADROOM_DEFAULT_PLAN='gone' names no plan"):
            change(starter, "pro")


@pytest.mark.django_db
class TestCancel:
    def test_leaves_the_default_plan_from_the_next_period_on(self, starter: Tenant, staff: User) -> None:
        done = cancel(starter, at=AT, actor=staff, reason="too dear")
        assert (done.plan.slug, done.begins, done.is_end) == ("free", TURN, True)
        assert chain(starter) == [("starter", LONG_AGO, TURN)]
        assert (on(starter, TURN - DAY), on(starter, TURN)) == ("starter", "free")
        assert told(starter) == (
            "Plan cancelled",
            "Starter ends on 1 Dec 2026, 00:00 UTC, then Free: too dear",
        )
        row = starter.subscriptions.get()
        assert (row.ended_by, row.end_reason) == (staff, "too dear")

    def test_replaces_what_was_scheduled(self, starter: Tenant) -> None:
        schedule(starter, plan("pro"), begins=TURN, at=AT, actor=None, reason="")
        cancel(starter, at=AT, actor=None, reason="")
        assert chain(starter) == [("starter", LONG_AGO, TURN)]

    def test_twice_is_refused_with_the_day(self, starter: Tenant) -> None:
        cancel(starter, at=AT, actor=None, reason="")
        with pytest.raises(NothingChanges, match=r"Starter ends on 1 Dec 2026, 00:00 UTC already\."):
            cancel(starter, at=AT, actor=None, reason="")

    @pytest.mark.parametrize("slug", [None, "free"])
    def test_of_the_default_plan_is_refused(self, make_tenant: MakeTenant, slug: str | None) -> None:
        with pytest.raises(NothingChanges, match="is on Free, which is what remains without a subscription"):
            cancel(make_tenant("acme", slug), at=AT, actor=None, reason="")


@pytest.mark.django_db
class TestWithdraw:
    def test_lets_the_plan_go_on(self, starter: Tenant, staff: User) -> None:
        change(starter, "free")
        gone = withdraw(starter, at=AT + DAY, actor=staff, reason="stays")
        assert (gone.plan.slug, gone.begins) == ("free", TURN)
        assert chain(starter) == [("starter", LONG_AGO, None)]
        assert told(starter) == (
            "Scheduled change withdrawn",
            "Starter goes on, not Free on 1 Dec 2026, 00:00 UTC: stays",
        )

    def test_takes_back_a_cancellation(self, starter: Tenant, staff: User) -> None:
        cancel(starter, at=AT, actor=staff, reason="too dear")
        withdraw(starter, at=AT, actor=staff, reason="")
        row = starter.subscriptions.get()
        assert (row.ends, row.ended_by, row.end_reason) == (None, None, "")

    def test_takes_back_the_first_subscription(self, tenant: Tenant) -> None:
        change(tenant, "pro", when=When.NEXT)
        withdraw(tenant, at=AT, actor=None, reason="")
        assert chain(tenant) == []

    def test_of_nothing_is_refused(self, starter: Tenant) -> None:
        with pytest.raises(NothingChanges, match=r"Nothing is scheduled: Starter goes on\."):
            withdraw(starter, at=AT, actor=None, reason="")

    def test_comes_too_late_once_the_change_has_acted(self, starter: Tenant) -> None:
        change(starter, "free")
        with pytest.raises(NothingChanges, match=r"Nothing is scheduled: Free goes on\."):
            withdraw(starter, at=TURN, actor=None, reason="")
        assert on(starter, TURN) == "free"

    def test_of_what_was_shown_and_nothing_else(self, starter: Tenant) -> None:
        change(starter, "free")
        shown = scheduled([starter], AT)[starter.pk].mark
        cancel(starter, at=AT, actor=None, reason="")
        with pytest.raises(Outdated):
            withdraw(starter, at=AT, actor=None, reason="", as_shown=shown)


@pytest.mark.django_db
class TestScheduled:
    def test_says_what_when_who_and_why(self, starter: Tenant, make_tenant: MakeTenant, staff: User) -> None:
        leaving, calm = make_tenant("leaving", "pro"), make_tenant("calm", "pro")
        change_plan(starter, plan("free"), at=AT, actor=staff, reason="small again")
        cancel(leaving, at=AT, actor=staff, reason="too dear")
        found = scheduled([starter, leaving, calm], AT)
        assert set(found) == {starter.pk, leaving.pk}
        one, other = found[starter.pk], found[leaving.pk]
        assert (one.plan.slug, one.begins, one.is_end, one.author, one.reason) == (
            "free",
            TURN,
            False,
            staff,
            "small again",
        )
        assert (other.plan.slug, other.begins, other.is_end, other.author, other.reason) == (
            "free",
            TURN,
            True,
            staff,
            "too dear",
        )

    def test_sees_that_nothing_follows_at_once(self, starter: Tenant) -> None:
        starter.subscriptions.update(ends=TURN)
        starter.subscriptions.create(plan=plan("pro"), starts=TURN + DAY)
        found = scheduled([starter], AT)[starter.pk]
        assert (found.plan.slug, found.begins, found.is_end) == ("free", TURN, True)

    def test_leaves_out_what_changes_nothing(self, make_tenant: MakeTenant) -> None:
        ends, renewed = make_tenant("a", "free"), make_tenant("b", "pro")
        ends.subscriptions.update(ends=TURN)
        renewed.subscriptions.update(ends=TURN)
        renewed.subscriptions.create(plan=plan("pro"), starts=TURN)
        assert scheduled([ends, renewed], AT) == {}

    def test_costs_the_same_for_many_as_for_one(
        self, make_tenant: MakeTenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        tenants = [make_tenant(f"t{number}", "pro") for number in range(5)]
        for tenant in tenants:
            change(tenant, "free")
        with django_assert_num_queries(2):
            assert len({one.author for one in scheduled(tenants, AT).values()}) == 1


@pytest.mark.django_db
class TestSchedule:
    def test_tells_now_what_happens_later(self, starter: Tenant) -> None:
        schedule(starter, plan("pro"), begins=TURN + DAY, at=AT, actor=None, reason="contract")
        assert chain(starter) == [("starter", LONG_AGO, TURN + DAY), ("pro", TURN + DAY, None)]
        assert told(starter) == ("Change of plan scheduled", "Pro from 2 Dec 2026, 00:00 UTC: contract")
        assert EntitlementChange.objects.latest("version").at == AT


@pytest.mark.django_db
class TestRemove:
    def test_lets_the_one_before_go_on(self, starter: Tenant) -> None:
        change(starter, "free")
        remove([starter.subscriptions.latest("starts")], at=AT)
        assert chain(starter) == [("starter", LONG_AGO, None)]

    def test_of_all_that_come_leaves_what_runs(self, starter: Tenant) -> None:
        change(starter, "free")
        schedule(starter, plan("pro"), begins=TURN + DAY, at=AT, actor=None, reason="")
        remove(list(starter.subscriptions.exclude(starts=LONG_AGO)), at=AT)
        assert chain(starter) == [("starter", LONG_AGO, None)]

    def test_of_one_amid_others_leaves_no_gap(self, starter: Tenant) -> None:
        change(starter, "free")
        schedule(starter, plan("pro"), begins=TURN + DAY, at=AT, actor=None, reason="")
        remove([starter.subscriptions.get(plan__slug="free")], at=AT)
        assert chain(starter) == [("starter", LONG_AGO, TURN + DAY), ("pro", TURN + DAY, None)]

    def test_of_what_runs_is_no_renewal(self, starter: Tenant) -> None:
        change(starter, "pro")
        remove([starter.subscriptions.latest("starts")], at=AT)
        assert chain(starter) == [("starter", LONG_AGO, AT)]


def in_force(rows: list[tuple[str, datetime, datetime | None]], at: datetime) -> list[str]:
    return [slug for slug, starts, ends in rows if starts <= at and (ends is None or at < ends)]


def is_one_chain(tenant: Tenant) -> bool:
    """Whether no two subscriptions overlap, and none but the last is open."""
    rows = list(Subscription.objects.filter(tenant=tenant).order_by("starts"))
    return all(one.ends is not None and one.ends <= other.starts for one, other in pairwise(rows))


ACTIONS: dict[str, Callable[[Tenant, datetime], object]] = {
    "free": lambda tenant, at: change(tenant, "free", at=at),
    "starter": lambda tenant, at: change(tenant, "starter", at=at),
    "pro": lambda tenant, at: change(tenant, "pro", at=at),
    "pro later": lambda tenant, at: change(tenant, "pro", at=at, when=When.NEXT),
    "starter now": lambda tenant, at: change(tenant, "starter", at=at, when=When.NOW),
    "cancel": lambda tenant, at: cancel(tenant, at=at, actor=None, reason=""),
    "withdraw": lambda tenant, at: withdraw(tenant, at=at, actor=None, reason=""),
}


def attempt(tenant: Tenant, name: str, at: datetime) -> bool:
    """Do it; False where nothing would change."""
    try:
        ACTIONS[name](tenant, at)
    except NothingChanges:
        return False
    return True


@pytest.mark.django_db
class TestAnyCourse:
    @hypothesis_settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        steps=st.lists(
            st.tuples(st.sampled_from(list(ACTIONS)), st.integers(0, 24 * 40)), min_size=1, max_size=8
        )
    )
    def test_is_one_chain_that_never_rewrites_what_was(
        self, starter: Tenant, steps: list[tuple[str, int]]
    ) -> None:
        with transaction.atomic():
            at, before = AT, chain(starter)
            for name, hours in steps:
                at += timedelta(hours=hours)
                is_done = attempt(starter, name, at)
                assert is_one_chain(starter)
                after = chain(starter)
                past = [AT - DAY, *(starts for _, starts, _ in before if starts < at), at - MOMENT]
                assert [in_force(after, time) for time in past] == [in_force(before, time) for time in past]
                if not is_done or name in ("cancel", "withdraw", "pro later"):
                    assert in_force(after, at) == in_force(before, at)
                before = after
            transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_leave_one_chain_and_one_change_each(self, starter: Tenant) -> None:
        EntitlementChange.objects.all().delete()

        def press(number: int) -> bool:
            try:
                return attempt(
                    starter, list(ACTIONS)[number % len(ACTIONS)], AT + timedelta(milliseconds=number % 5)
                )
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(press, range(70)))
        assert is_one_chain(starter)
        changes = EntitlementChange.objects.filter(tenant=starter).order_by("version")
        assert changes.count() == sum(done) > 1
        # One after the other, also where a clock was behind.
        times = [one.at for one in changes]
        assert times == sorted(times)

    def test_who_agreed_to_the_same_is_heard_once(self, starter: Tenant) -> None:
        shown = courses([starter], AT)[starter.pk].changed_to(plan("pro")).mark

        def press(slug: str) -> str:
            try:
                change_plan(starter, plan(slug), at=AT, actor=None, reason="", as_shown=shown)
            except (Outdated, NothingChanges):
                return ""
            finally:
                connection.close()
            return slug

        with ThreadPoolExecutor(8) as pool:
            done = [slug for slug in pool.map(press, ["pro", "enterprise"] * 8) if slug]
        assert len(done) == 1
        assert chain(starter) == [("starter", LONG_AGO, AT), (done[0], AT, None)]

    def test_with_a_clock_behind_does_not_undo_who_came_first(self, starter: Tenant) -> None:
        change(starter, "enterprise", at=AT + timedelta(seconds=2))
        change(starter, "pro", at=AT)
        assert chain(starter) == [
            ("starter", LONG_AGO, AT + timedelta(seconds=2)),
            ("enterprise", AT + timedelta(seconds=2), TURN),
            ("pro", TURN, None),
        ]
        subscribe(starter, plan("free"), at=AT + DAY, actor=None, reason="")
        assert is_one_chain(starter)
