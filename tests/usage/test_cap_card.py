"""What the card of the spend cap says, and what pages say of a cap that stops something or will."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.test import Client

from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.usage.capping import CALLS, MB, OPERATIONS, set_
from tests.usage.counted import NOW, move, use
from tests.usage.counting import Clock, flush
from tests.usage.pages import address, text
from usage.metering import Charge, chores, consume
from usage.money.capstops import cap_stops_now
from usage.reports import dashboard
from usage.reports.cap import CapCard, cap_report
from usage.reports.fits import fit_of
from usage.reports.readings import contracts_of, read, reading

pytestmark = pytest.mark.django_db


@pytest.fixture
def pro(make_tenant: MakeTenant, redis_db: redis.Redis) -> Tenant:
    return make_tenant(plan="pro")


@pytest.fixture
def olive(make_user: MakeUser, pro: Tenant) -> User:
    return make_user("olive@northwind.example", Membership.Role.OWNER, pro, first_name="Olive")


def card(tenant: Tenant, **more: Any) -> CapCard:
    return cap_report(reading(tenant, NOW), **{"may_edit": True, **more})


class TestCard:
    def test_without_a_cap_draws_none(self, pro: Tenant) -> None:
        found = card(pro)
        assert found.fill is None
        assert (found.entry.mode, found.entry.amount, found.spent, found.author) == ("none", "", "$0.00", "")

    def test_draws_what_is_spent_beyond_the_plan_and_not_its_fee(self, pro: Tenant) -> None:
        use(pro, "api_calls", CALLS + 319_790)
        set_(pro, "390.00")
        fill = card(pro).fill
        assert fill is not None
        assert (fill.look.code, fill.strong) == ("near", "$70.21 left")
        assert fill.rest.startswith("of $390.00 beyond the plan")
        assert fill.bar.used == "61.5"

    @pytest.mark.parametrize(
        ("calls", "mode", "code", "word", "strong"),
        [
            (100_000, "stop", "ok", "OK", "$290.00 left"),
            (390_000, "stop", "full", "At limit", "$390.00 spent"),
            (400_000, "stop", "full", "At limit", "$400.00 spent"),
            (400_000, "notify", "over", "Reached · billed", "$400.00 spent"),
        ],
    )
    def test_says_how_the_cap_stands(
        self, pro: Tenant, calls: int, mode: str, code: str, word: str, strong: str
    ) -> None:
        use(pro, "api_calls", CALLS + calls)
        set_(pro, "390.00", mode)
        fill = card(pro).fill
        assert fill is not None
        assert (*fill.look, fill.strong) == (code, word, strong)

    def test_of_nothing_is_reached_with_the_first_cent(self, pro: Tenant) -> None:
        set_(pro, "0.00")
        assert [one.look.code for one in (card(pro).fill,) if one] == ["ok"]
        use(pro, "api_calls", CALLS + 10)
        assert [one.look.code for one in (card(pro).fill,) if one] == ["full"]

    def test_shows_the_lower_of_two_and_who_set_the_other(
        self, pro: Tenant, olive: User, staff: User
    ) -> None:
        set_(pro, "390.00", actor=olive)
        set_(pro, "100.00", side=OPERATIONS, actor=staff)
        found = card(pro)
        assert found.fill
        assert "of $100.00" in found.fill.rest
        assert found.entry.amount == "390.00"
        assert found.notes == (
            "Operations stop billed use at $100.00, since 23 Nov 2026. The lower cap counts.",
        )
        assert found.author == "Set by Olive, 23 Nov 2026."

    def test_says_what_a_cap_can_not_do(self, make_tenant: MakeTenant, pro: Tenant) -> None:
        move(pro, added=51_000 * MB, closing=51_000 * MB)
        assert card(pro).notes == (
            "Storage beyond what is included goes on costing by the hour until it is freed, cap or not.",
        )
        assert card(make_tenant("small", "starter")).notes == (
            "Starter bills nothing beyond its fee, so a cap has nothing to stop.",
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.counting
class TestReached:
    """What pages say once the cap has stopped something, from live counts and without an account alike."""

    @pytest.fixture
    def stopped(self, pro: Tenant, clock: Clock) -> Tenant:
        set_(pro, "1.00", at=clock.now)
        chores.take_over_changes(clock.now)
        consume(pro, Charge("api_calls", CALLS + 1_000), at=clock.now)
        assert consume(pro, Charge("api_calls"), at=clock.now).refused
        flush(clock.now)
        return pro

    @pytest.mark.parametrize("is_lost", [False, True])
    def test_stands_at_its_limit_by_the_cap(
        self, stopped: Tenant, clock: Clock, redis_db: redis.Redis, is_lost: bool
    ) -> None:
        if is_lost:
            redis_db.flushdb()
        board = dashboard(stopped, clock.now)
        worst = board.meters[0]
        assert (board.is_live, worst.metric.code, worst.cap_stop) == (not is_lost, "api_calls", CALLS + 1_000)
        assert (worst.look.code, worst.look.word) == ("full", "At limit")
        assert (worst.enforcement, worst.when_note) == ("Stopped by the spend cap", "by the spend cap")
        assert board.verdict.title == "The spend cap stops calls beyond what Pro includes until 1 Dec."
        assert board.verdict.reason.startswith(
            "Requests that would be billed get status 429 until 1 Dec, 00:00 UTC; included amounts keep working."
        )

    def test_is_foreseen_while_money_is_left(self, pro: Tenant, clock: Clock) -> None:
        for back in range(1, 23):
            use(pro, "api_calls", (CALLS + 300_000) // 22, at=clock.now - timedelta(days=back), epoch=9)
        set_(pro, "390.00", at=clock.now)
        board = dashboard(pro, clock.now)
        worst = board.meters[0]
        assert worst.capped_on is not None
        assert clock.now < worst.capped_on < worst.period.ends
        assert (worst.is_over, worst.enforcement) == (True, "Billed over, up to the spend cap")
        day = f"{worst.capped_on:%a} {worst.capped_on.day} {worst.capped_on:%b}"
        assert (
            f"At this pace the spend cap stops calls beyond what is included on {day}."
            in board.verdict.reason
        )
        outlook = reading(pro, clock.now).outlook
        assert outlook is not None
        assert (outlook.bill.overage, outlook.is_capped) == (Decimal(390), True)
        fit = fit_of(board.meters, board.meters, is_current=True)
        assert fit.look == ("near", f"API calls stop on {worst.capped_on.day} {worst.capped_on:%b}")

    def test_is_said_of_the_tenant_by_the_flush(self, stopped: Tenant) -> None:
        worst = stopped.standing.worst
        assert worst is not None
        assert (stopped.standing.state, worst.code) == ("full", "api_calls")

    def test_is_told_without_amounts(
        self, stopped: Tenant, client_for: Callable[[User], Client], make_user: MakeUser
    ) -> None:
        vic = make_user("vic@northwind.example", Membership.Role.VIEWER, stopped)
        page = text(client_for(vic).get(address(stopped)))
        assert "Spend cap reached: billable requests are refused" in page
        assert not re.search(r"\$\d", page)

    def test_cap_stops_are_the_same_with_and_without_an_account(self, pro: Tenant, clock: Clock) -> None:
        set_(pro, "390.00", at=clock.now)
        for charge in (
            Charge("api_calls", CALLS + 100_000),
            Charge("bandwidth", 101_000 * MB),
            Charge("storage", 50_500 * MB),
        ):
            consume(pro, charge, at=clock.now)
        clock.tick(hours=30)
        consume(pro, Charge("storage", 100 * MB), at=clock.now)
        flush(clock.now)
        live = read(contracts_of(pro, clock.now), pro, clock.now, with_money=False)
        contracts = contracts_of(pro, clock.now)
        rights = contracts.entitlements(pro, clock.now)
        found = cap_stops_now(contracts, rights, live.counts.totals, clock.now)
        assert live.is_live
        assert {meter.metric.code: meter.cap_stop for meter in live.meters} == {**found, "users": None}
        assert len(found) == 3

    def test_moves_the_version_that_pages_poll_with(self, stopped: Tenant, clock: Clock) -> None:
        before = dashboard(stopped, clock.now).version
        set_(stopped, "2.00", at=clock.now + timedelta(seconds=1))
        chores.take_over_changes(clock.now)
        assert dashboard(stopped, clock.now).version != before
