"""The demo's bills: three providers, imported as files, divided so that each share is that of its driver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from billing.costs.coverage import coverage
from billing.models import Allocation, CostBill, CostLine, CostRule, CostShare, Metric
from demo.bills import bring_bills
from demo.handout import Credentials
from demo.world import make_world
from tenants.keys import forget_keys
from tenants.models import Tenant
from usage.costs.drivers import drivers
from usage.costs.months import Month, month_at
from usage.reports.cost_choice import Asked
from usage.reports.costs import Costs
from usage.reports.costs import costs as read_costs

pytestmark = pytest.mark.django_db

BUSIEST = "blue-heron-health"


@dataclass(frozen=True)
class World:
    """The demo with its bills, made at `at`."""

    at: datetime
    folder: Path

    def page(self, month: Month) -> Costs:
        found = read_costs(Asked(month=f"{month.first:%Y-%m}"), self.at)
        assert found
        return found


@pytest.fixture(scope="module")
def world(
    django_db_setup: None,
    django_db_blocker: pytest.FixtureDef[None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Made once, late enough in a month that all have used something; undone at the end."""
    at, folder = timezone.now().replace(day=23), tmp_path_factory.mktemp("bills")
    with django_db_blocker.unblock(), transaction.atomic():  # type: ignore[attr-defined]
        make_world(Credentials(), at)
        bring_bills(folder, at)
        yield World(at, folder)
        transaction.set_rollback(True)
        forget_keys()


@pytest.fixture(params=[0, 1], ids=["this month", "the month before"])
def month(request: pytest.FixtureRequest, world: World) -> Month:
    this = month_at(world.at)
    return month_at(this.starts - timedelta(days=1)) if request.param else this


class TestBills:
    def test_come_from_three_providers_as_files(self, world: World, month: Month) -> None:
        bills = CostBill.objects.current().filter(month=month.first)
        assert sorted(bills.values_list("provider", flat=True)) == ["AWS", "Cloudflare", "Datadog"]
        assert all((world.folder / bill.source).exists() for bill in bills)

    def test_are_imported_by_the_command_as_well(self, world: World) -> None:
        path, before = next(world.folder.glob("aws-*.csv")), CostBill.objects.count()
        said = StringIO()
        call_command("import_costs", str(path), "--dry-run", stdout=said)
        assert "AWS" in said.getvalue()
        assert CostBill.objects.count() == before

    def test_are_fetched_again_only_when_they_are_old(self, world: World) -> None:
        bring_bills(world.folder, world.at + timedelta(hours=1))
        assert set(CostBill.objects.values_list("version", flat=True)) == {1}
        bring_bills(world.folder, world.at + timedelta(hours=13))
        this = CostBill.objects.current().filter(month=month_at(world.at).first)
        assert set(this.values_list("version", flat=True)) == {2}
        assert CostBill.objects.filter(version=2).count() == 3

    def test_fall_to_a_rule_but_for_one_service(self, world: World) -> None:
        found = coverage()
        assert found
        assert (found.missed, [one.service for one in found.fates if not one.rule]) == (1, ["AWS Support"])

    def test_leave_rules_that_were_edited_alone(self, world: World) -> None:
        CostRule.objects.exclude(name="Compute").delete()
        bring_bills(world.folder, world.at)
        assert CostRule.objects.count() == 1


class TestTheBusiest:
    """About 60 % of the API calls are one tenant's: it bears that share of all that API calls drive."""

    def test_has_about_sixty_percent_of_the_calls(self, world: World, month: Month) -> None:
        assert Fraction(55, 100) < self.share(world, month) < Fraction(65, 100)

    def test_bears_its_share_of_every_service_that_calls_drive_to_the_cent(
        self, world: World, month: Month
    ) -> None:
        allocation = Allocation.objects.of(month.first)[0]
        mine = CostShare.objects.get(allocation=allocation, tenant__slug=BUSIEST)
        driven = CostLine.objects.filter(allocation=allocation, driver="API calls")
        assert sorted(line.service for line in driven) == ["APM", "Amazon EC2", "Workers"]
        for line in driven:
            due = Fraction(line.to_tenants) * self.share(world, month)
            assert abs(Fraction(mine.lines[str(line.number)]) - due) < Fraction(1, 100)

    def share(self, world: World, month: Month) -> Fraction:
        calls = drivers(month, world.at).quantities[Metric.objects.get(code="api_calls").pk]
        return Fraction(calls[Tenant.objects.get(slug=BUSIEST).pk], sum(calls.values()))


class TestThePage:
    def test_sums_to_the_bills(self, world: World, month: Month) -> None:
        assert world.page(month).is_whole

    def test_names_who_is_below_cost(self, world: World, month: Month) -> None:
        found = world.page(month)
        assert "Blue Heron Health" in [one.name for one in found.below.shown]
        assert "Blue Heron Health" in [one.name for one in found.above.shown]
        assert not any(one.name == "Harbor Point Media" for one in found.below.shown)

    def test_shows_what_is_shared_and_whom_nobody_knows(self, world: World, month: Month) -> None:
        rest = {row.name: row.note for row in world.page(month).rows.rest}
        assert rest == {"Shared, not split": "AWS Support", "Unallocated": "no tenant is called globex"}
