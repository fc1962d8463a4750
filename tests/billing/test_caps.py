"""Spend caps as rows: the lower stop counts, each change has its author, raises the version, and says what it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from billing.caps import NO_CAPS, Caps, caps_in_force, caps_of, lift_cap, set_cap
from billing.contracts import Contracts
from billing.models import Entitlement, EntitlementChange, SpendCap
from tenants.models import Tenant, User
from tests.conftest import MakeTenant

AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
OWNER, OPERATIONS = SpendCap.Side.OWNER, SpendCap.Side.OPERATIONS
NOTIFY, STOP = SpendCap.Mode.NOTIFY, SpendCap.Mode.STOP


def cap(mode: str, amount: str | Decimal, side: str = OWNER) -> SpendCap:
    return SpendCap(side=side, mode=mode, amount=Decimal(amount))


def set_(tenant: Tenant, amount: str, mode: str = STOP, side: str = OWNER, **more: Any) -> SpendCap:
    given = {"at": AT, "actor": None, **more}
    return set_cap(tenant, side=side, mode=mode, amount=Decimal(amount), **given)


class TestCapsInForce:
    @pytest.mark.parametrize(
        ("caps", "stop", "notify"),
        [
            ([], None, []),
            ([cap(STOP, "390.00")], "390.00", []),
            ([cap(STOP, "390.00"), cap(STOP, "100.00", OPERATIONS)], "100.00", []),
            ([cap(STOP, "100.00"), cap(STOP, "390.00", OPERATIONS)], "100.00", []),
            ([cap(NOTIFY, "50.00"), cap(STOP, "390.00", OPERATIONS)], "390.00", ["50.00"]),
            ([cap(NOTIFY, "500.00"), cap(STOP, "390.00", OPERATIONS)], "390.00", ["500.00"]),
            ([cap(NOTIFY, "50.00"), cap(NOTIFY, "20.00", OPERATIONS)], None, ["20.00", "50.00"]),
            ([cap(NOTIFY, "50.00"), cap(NOTIFY, "50.00", OPERATIONS)], None, ["50.00"]),
            ([cap(NOTIFY, "50.00"), cap(STOP, "50.00", OPERATIONS)], "50.00", []),
            ([cap(STOP, "0")], "0", []),
        ],
    )
    def test_the_lower_stop_counts_and_each_notice_tells(
        self, caps: list[SpendCap], stop: str | None, notify: list[str]
    ) -> None:
        assert caps_in_force(caps) == Caps(
            None if stop is None else Decimal(stop), tuple(map(Decimal, notify))
        )

    @given(st.lists(st.tuples(st.sampled_from([NOTIFY, STOP]), st.decimals(0, 1_000, places=2)), max_size=4))
    def test_no_cap_is_ever_forgotten(self, caps: list[tuple[str, Decimal]]) -> None:
        found = caps_in_force(cap(mode, amount) for mode, amount in caps)
        stops = [amount for mode, amount in caps if mode == STOP]
        assert (found.stop is None) == (not stops)
        assert all(found.stop <= amount for amount in stops if found.stop is not None)
        assert {amount for mode, amount in caps if mode == NOTIFY} <= {*found.amounts}


@pytest.mark.django_db
class TestSetCap:
    def test_is_kept_with_its_author_and_told_to_counting(self, tenant: Tenant, owner: User) -> None:
        set_(tenant, "390.00", actor=owner)
        row = SpendCap.objects.get()
        assert (row.author, row.since, row.amount) == (owner, AT, Decimal("390.00"))
        change = EntitlementChange.objects.get()
        assert (change.actor, change.at, change.felt_at) == (owner, AT, None)
        assert (change.get_kind_display(), change.reason) == (
            "Spend cap changed",
            "Stop billed use at 390.00 USD a period",
        )
        assert caps_of([tenant.pk]) == {tenant.pk: Caps(Decimal(390))}

    def test_replaces_the_one_of_its_side_alone(self, tenant: Tenant, staff: User) -> None:
        set_(tenant, "390.00")
        set_(tenant, "1000.00", side=OPERATIONS, actor=staff)
        set_(tenant, "50.00", NOTIFY)
        assert caps_of([tenant.pk]) == {tenant.pk: Caps(Decimal(1000), (Decimal(50),))}
        assert [change.reason for change in EntitlementChange.objects.order_by("pk")] == [
            "Stop billed use at 390.00 USD a period",
            "Operations: stop billed use at 1,000.00 USD a period",
            "Tell at 50.00 USD a period",
        ]

    def test_keeps_who_changed_it_in_its_history(self, tenant: Tenant, owner: User, staff: User) -> None:
        set_(tenant, "390.00", actor=owner)
        set_(tenant, "400.00", actor=staff, at=AT + timedelta(hours=1))
        lift_cap(tenant, side=OWNER, at=AT + timedelta(hours=2), actor=owner)
        rows = SpendCap.history.values_list("history_type", "amount", "history_user", "history_date")
        assert list(rows) == [
            ("-", Decimal(400), owner.pk, AT + timedelta(hours=2)),
            ("~", Decimal(400), staff.pk, AT + timedelta(hours=1)),
            ("+", Decimal(390), owner.pk, AT),
        ]

    def test_the_same_again_changes_nothing(self, tenant: Tenant, owner: User, staff: User) -> None:
        set_(tenant, "390.00", actor=owner)
        again = set_(tenant, "390.00", actor=staff, at=AT + timedelta(hours=1))
        assert (again.author, again.since) == (owner, AT)
        assert EntitlementChange.objects.count() == SpendCap.history.count() == 1

    def test_goes_with_its_transaction(self, tenant: Tenant) -> None:
        with transaction.atomic():
            set_(tenant, "390.00")
            transaction.set_rollback(True)
        assert not SpendCap.objects.exists()
        assert not Entitlement.objects.exists()

    def test_there_is_none_below_nothing(self, tenant: Tenant) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            set_(tenant, "-0.01")


@pytest.mark.django_db
class TestLiftCap:
    def test_lets_use_go_on_and_says_so(self, tenant: Tenant, owner: User) -> None:
        set_(tenant, "390.00")
        set_(tenant, "500.00", side=OPERATIONS)
        assert lift_cap(tenant, side=OWNER, at=AT, actor=owner)
        assert caps_of([tenant.pk]) == {tenant.pk: Caps(Decimal(500))}
        change = EntitlementChange.objects.latest("pk")
        assert (change.actor, change.reason) == (
            owner,
            "Lifted: stop billed use at 390.00 USD a period",
        )

    def test_of_no_cap_changes_nothing(self, tenant: Tenant) -> None:
        assert not lift_cap(tenant, side=OWNER, at=AT, actor=None)
        assert not EntitlementChange.objects.exists()


@pytest.mark.django_db
class TestContracts:
    def caps(self, *tenants: Tenant) -> tuple[list[Caps], int]:
        """What contracts say of each, and how many queries they took."""
        with CaptureQueriesContext(connection) as queries:
            contracts = Contracts(tenants, AT)
        return [contracts.entitlements(tenant, AT).caps for tenant in tenants], len(queries)

    def test_know_the_caps_of_each_tenant(self, make_tenant: MakeTenant) -> None:
        one, other = make_tenant("one", "pro"), make_tenant("other", "pro")
        _, without = self.caps(one, other)
        set_(one, "390.00")
        found, queries = self.caps(one, other)
        assert found == [Caps(Decimal(390)), NO_CAPS]
        assert queries == without + 1

    def test_ask_for_no_cap_where_nobody_has_one(self, make_tenant: MakeTenant) -> None:
        one, other = make_tenant("one", "pro"), make_tenant("other", "pro")
        set_(other, "1.00")
        found, _ = self.caps(one)
        with CaptureQueriesContext(connection) as queries:
            Contracts([one], AT)
        assert found == [NO_CAPS]
        assert not any("amount" in query["sql"] for query in queries)
