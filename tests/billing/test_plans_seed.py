"""The metrics and plans a new installation begins with are those of the design's table."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.models import Allowance, Metric, Plan, PriceTier

pytestmark = pytest.mark.django_db

MB = 10**6
CODES = ["api_calls", "storage", "users", "bandwidth"]


@pytest.mark.parametrize(
    ("slug", "fee", "included", "beyond"),
    [
        ("free", 0, [1_000, 100 * MB, 3, 500 * MB], "stop"),
        ("starter", 29, [50_000, 5_000 * MB, 10, 10_000 * MB], "stop"),
        ("pro", 199, [500_000, 50_000 * MB, 50, 100_000 * MB], "bill"),
        ("enterprise", 1_499, [5_000_000, 500_000 * MB, 500, 1_000_000 * MB], "bill"),
    ],
)
def test_a_plan_gives_what_the_table_says(slug: str, fee: int, included: list[int], beyond: str) -> None:
    plan = Plan.objects.get(slug=slug)
    allowances = list(plan.allowances.select_related("metric"))
    assert plan.base_fee == fee
    assert [one.metric.code for one in allowances] == CODES
    assert [one.included for one in allowances] == included
    assert {(one.beyond, one.hard_limit, one.burst) for one in allowances} == {(beyond, None, None)}


@pytest.mark.parametrize("plan", ["pro", "enterprise"])
def test_overage_costs_what_the_table_says(plan: str) -> None:
    tiers = PriceTier.objects.filter(allowance__plan__slug=plan)
    prices = {tier.allowance.metric.code: (tier.price, tier.per, tier.up_to) for tier in tiers}
    assert prices == {
        "api_calls": (Decimal("0.001"), 1, None),
        "storage": (Decimal("0.05"), MB, None),
        "bandwidth": (Decimal("0.02"), MB, None),
    }


def test_plans_that_stop_have_no_prices() -> None:
    assert not PriceTier.objects.filter(allowance__beyond="stop").exists()


def test_metrics_add_up_as_their_kind_says() -> None:
    shown = [
        (one.code, one.name, one.noun, one.kind, one.unit, one.on_outage) for one in Metric.objects.all()
    ]
    assert shown == [
        ("api_calls", "API calls", "calls", "sum", "count", "allow"),
        ("storage", "Storage", "storage", "level", "bytes", "allow"),
        ("users", "Active users", "users", "distinct", "count", "allow"),
        ("bandwidth", "Bandwidth", "bandwidth", "sum", "bytes", "allow"),
    ]


def test_plans_stand_in_the_tables_order() -> None:
    assert [plan.slug for plan in Plan.objects.public()] == ["free", "starter", "pro", "enterprise"]


def test_history_begins_with_the_seed() -> None:
    for one in [*Plan.objects.all(), *Allowance.objects.all(), *PriceTier.objects.all()]:
        assert [entry.history_type for entry in one.history.all()] == ["+"]
