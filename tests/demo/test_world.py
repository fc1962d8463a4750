"""The demo's world: its rows agree with each other, its tenants stand where they should, nobody else's are touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F, Sum, Value
from django.db.models.functions import Concat
from django.utils import timezone

from billing.models import Metric, Statement
from billing.periods import period_at
from demo.cast import CUSTOMERS
from demo.doors import BROKEN, STUCK
from demo.handout import Credentials
from demo.models import DemoFile
from demo.world import make_world
from tenants.keys import KeyRefused, find_key, forget_keys
from tenants.models import Tenant, User
from usage.metering.standings import restand
from usage.models import (
    Alert,
    Delivery,
    LevelHour,
    Notice,
    RefusalHour,
    Standing,
    UsageHour,
    UsageLevel,
    UsageMember,
    UsagePeriod,
)

# Also what makes pytest-django set its database up; each test's changes are undone within `world`'s transaction.
pytestmark = pytest.mark.django_db

DATES = [
    datetime(2027, 3, 1, 0, 0, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2028, 2, 29, 12, tzinfo=UTC),
]
Sums = dict[tuple[object, ...], int]


@dataclass(frozen=True)
class World:
    """The demo made at `at`."""

    at: datetime
    credentials: Credentials

    def standing(self, slug: str) -> Standing:
        return Standing.objects.select_related("worst", "tenant").get(tenant__slug=slug)


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: pytest.FixtureDef[None]) -> Iterator[World]:
    """Made once for all tests of this module, in a transaction that is undone at the end."""
    at = timezone.now()
    with django_db_blocker.unblock(), transaction.atomic():  # type: ignore[attr-defined]
        yield World(at, make_world(Credentials(), at))
        transaction.set_rollback(True)
        forget_keys()


@pytest.fixture
def few_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world that is made quickly."""
    slugs = ("lumen-atlas", "quill-and-co", "juniper-and-sons", "tessellate-ai")
    monkeypatch.setattr("demo.world.CUSTOMERS", tuple(one for one in CUSTOMERS if one.slug in slugs))


def metrics(kind: Metric.Kind) -> list[int]:
    return list(Metric.objects.filter(kind=kind).values_list("pk", flat=True))


def by_period(table: type[UsageHour] | type[RefusalHour], field: str, kind: Metric.Kind) -> Sums:
    """Sums of an hourly table by tenant, metric, period and, for sums, epoch."""
    tenants = Tenant.objects.in_bulk()
    found: Sums = defaultdict(int)
    for row in table.objects.filter(metric__in=metrics(kind)):
        epoch = 0 if kind == Metric.Kind.DISTINCT else row.epoch
        period = period_at(tenants[row.tenant_id], row.hour).first
        found[row.tenant_id, row.metric_id, period, epoch] += getattr(row, field)
    return dict(found)


def periods(field: str, kind: Metric.Kind) -> Sums:
    rows = UsagePeriod.objects.filter(metric__in=metrics(kind), **{f"{field}__gt": 0})
    return {(*row[:4],): row[4] for row in rows.values_list("tenant", "metric", "period", "epoch", field)}


class TestSums:
    def test_hours_sum_to_their_period(self, world: World) -> None:
        found = by_period(UsageHour, "quantity", Metric.Kind.SUM)
        assert found == periods("used", Metric.Kind.SUM)
        assert len({key[2] for key in found}) > 4

    def test_hourly_refusals_sum_to_those_of_their_period(self, world: World) -> None:
        found = by_period(RefusalHour, "refused", Metric.Kind.SUM)
        assert found == periods("refused", Metric.Kind.SUM)
        assert found

    def test_there_are_as_many_members_as_the_period_and_its_hours_say(self, world: World) -> None:
        counted: Sums = defaultdict(int)
        for row in UsageMember.objects.values_list("tenant", "metric", "period"):
            counted[(*row, 0)] += 1
        assert counted == periods("used", Metric.Kind.DISTINCT)
        assert counted == by_period(UsageHour, "quantity", Metric.Kind.DISTINCT)

    def test_a_level_moves_from_hour_to_hour_and_ends_where_it_stands(self, world: World) -> None:
        closing: dict[int, int] = defaultdict(int)
        for row in LevelHour.objects.order_by("tenant", "hour"):
            assert row.closing == closing[row.tenant_id] + row.added - row.removed
            assert row.peak >= row.closing
            closing[row.tenant_id] = row.closing
        stands = UsageLevel.objects.values("tenant").annotate(level=Sum(F("added") - F("removed")))
        assert closing == {row["tenant"]: row["level"] for row in stands}
        files = DemoFile.objects.values("tenant").annotate(size=Sum("size"))
        assert closing == {row["tenant"]: row["size"] for row in files}

    def test_labels_of_a_level_say_what_was_added(self, world: World) -> None:
        hours = UsageHour.objects.filter(metric__kind=Metric.Kind.LEVEL).aggregate(Sum("quantity"))
        assert hours["quantity__sum"] == UsageLevel.objects.aggregate(Sum("added"))["added__sum"]

    def test_all_of_a_tenant_lies_in_one_epoch_and_in_sixty_days(self, world: World) -> None:
        for customer in CUSTOMERS:
            rows = UsageHour.objects.filter(tenant__slug=customer.slug)
            assert rows.values("epoch").distinct().count() == (not customer.is_new)
            assert not rows.filter(hour__lt=world.at - timedelta(days=60, hours=1)).exists()
            assert not rows.filter(hour__gt=world.at).exists()


class TestStandings:
    @pytest.mark.parametrize(
        ("slug", "used"),
        [
            ("lumen-atlas", 796),
            ("quill-and-co", 960),
            ("juniper-and-sons", 1_000),
            ("fjord-analytics", 790),
            ("acme-rockets", 50_000),
            ("saltmarsh-energy", 0),
            ("tessellate-ai", 0),
        ],
    )
    def test_calls_stand_exactly_there(self, world: World, slug: str, used: int) -> None:
        period = world.standing(slug).period
        rows = UsagePeriod.objects.filter(tenant__slug=slug, period=period, metric__code="api_calls")
        assert (rows.aggregate(Sum("used"))["used__sum"] or 0) == used

    @pytest.mark.parametrize(
        ("slug", "state", "worst"),
        [
            ("lumen-atlas", "near", "api_calls"),  # by its forecast, as its own pages say
            ("quill-and-co", "near", "api_calls"),
            ("juniper-and-sons", "full", "api_calls"),
            ("acme-rockets", "full", "api_calls"),
            ("kestrel-freight", "over", "bandwidth"),
            ("harbor-point-media", "over", "bandwidth"),
            ("northwind-labs", "near", "api_calls"),
            ("meadow-and-finch", "near", "storage"),
        ],
    )
    def test_the_worst_metric_is_the_one_to_see(
        self, world: World, slug: str, state: str, worst: str
    ) -> None:
        standing = world.standing(slug)
        assert (standing.state, standing.worst and standing.worst.code) == (state, worst)

    def test_what_is_to_come_is_known_from_the_start(self, world: World) -> None:
        assert Standing.objects.filter(forecast__gt=F("fill")).count() > 5

    def test_billed_use_costs_and_refused_use_shows(self, world: World) -> None:
        assert world.standing("kestrel-freight").overage > 100
        assert world.standing("juniper-and-sons").refused > 50
        assert world.standing("juniper-and-sons").overage == 0

    def test_one_is_idle_and_one_was_never_used(self, world: World) -> None:
        idle, new = world.standing("saltmarsh-energy"), world.standing("tessellate-ai")
        assert idle.last_used is not None
        assert idle.last_used < world.at - timedelta(days=20)
        assert new.last_used is None
        assert not UsagePeriod.objects.filter(tenant=new.tenant).exists()

    def test_all_plans_have_tenants(self, world: World) -> None:
        assert set(Standing.objects.values_list("plan__slug", flat=True)) == {
            "free",
            "starter",
            "pro",
            "enterprise",
        }


class TestTelling:
    def test_what_was_crossed_was_told_then(self, world: World) -> None:
        assert not Delivery.objects.exclude(status=Delivery.Status.SENT).exclude(target=BROKEN).exists()
        assert Delivery.objects.filter(target=BROKEN, status=Delivery.Status.WAITING).count() == STUCK
        told = Alert.objects.filter(tenant__slug="juniper-and-sons", percent=100, is_sent=True).latest("at")
        assert timedelta(days=1) < world.at - told.at < timedelta(days=4)
        assert Alert.objects.filter(is_sent=True).count() > 20

    def test_operations_have_seen_all_but_the_latest(self, world: World) -> None:
        unseen = Notice.objects.filter(seen_at=None)
        assert unseen.count() < Notice.objects.count()
        assert not unseen.filter(at__lt=world.at - timedelta(days=1)).exists()

    def test_nothing_is_told_again_once_the_workers_judge(self, world: World) -> None:
        restand(dict.fromkeys(Tenant.objects.values_list("pk", flat=True)), world.at + timedelta(seconds=5))
        assert not Delivery.objects.filter(status=Delivery.Status.WAITING).exclude(target=BROKEN).exists()


class TestStatements:
    def test_are_there_for_each_period_that_is_over(self, world: World) -> None:
        for customer in CUSTOMERS:
            tenant = Tenant.objects.get(slug=customer.slug)
            issued = list(tenant.statements.order_by("period"))
            assert len(issued) == (0 if customer.is_new else 2), customer.slug
            for one in issued:
                assert one.document["plan"]["slug"] == customer.plan
                assert world.at > one.issued_at == datetime.combine(one.until, time(1), UTC)

    def test_bill_what_history_says_was_used(self, world: World) -> None:
        last = Statement.objects.filter(tenant__slug="kestrel-freight").latest("period")
        used = UsagePeriod.objects.filter(tenant=last.tenant, period=last.period, metric__code="bandwidth")
        [line] = [line for line in last.document["lines"] if line["metric"] == "bandwidth"]
        assert line["used"] == used.aggregate(Sum("used"))["used__sum"]
        assert last.total == 199 + Decimal(line["amount"]) > 199

    def test_were_told_then_to_owners_and_programs(self, world: World) -> None:
        told = Delivery.objects.filter(statement__tenant__slug="northwind-labs")
        assert set(told.values_list("channel", "target")) == {
            ("email", "mia@northwind.example"),
            ("webhook", "ops.northwind.example"),
        }
        assert all(one.created_at == one.statement.issued_at for one in told if one.statement)
        assert not Delivery.objects.filter(statement__total=0, channel="email").exists()


class TestAgain:
    def test_changes_nothing_at_once(self, world: World) -> None:
        before = list(UsagePeriod.objects.order_by("pk").values())
        assert make_world(world.credentials, world.at) is world.credentials
        assert list(UsagePeriod.objects.order_by("pk").values()) == before
        assert Tenant.objects.count() == len(CUSTOMERS)

    def test_a_day_later_it_goes_on_and_sums_still_agree(self, world: World) -> None:
        make_world(world.credentials, world.at + timedelta(days=1))
        assert by_period(UsageHour, "quantity", Metric.Kind.SUM) == periods("used", Metric.Kind.SUM)
        self.still_fixed(world)

    def test_in_the_next_period_they_stand_there_again(self, world: World) -> None:
        make_world(world.credentials, world.at + timedelta(days=16))
        issued = Statement.objects.values("tenant", "period")
        assert issued.distinct().count() == issued.count() == 3 * (len(CUSTOMERS) - 1)
        assert world.standing("lumen-atlas").period > world.at.date()
        self.still_fixed(world)

    def test_makes_keys_anew_where_they_are_lost(self, world: World) -> None:
        made = make_world(Credentials(), world.at)
        assert find_key(made.keys["lumen-atlas"], world.at).tenant == Tenant.objects.get(slug="lumen-atlas")
        with pytest.raises(KeyRefused):
            find_key(world.credentials.keys["lumen-atlas"], world.at)
        owner = User.objects.get(email="noor@lumenatlas.example")
        assert owner.check_password(made.password)

    @staticmethod
    def still_fixed(world: World) -> None:
        for slug, fill in (("lumen-atlas", 79), ("quill-and-co", 96), ("juniper-and-sons", 100)):
            assert world.standing(slug).fill == fill


class TestDates:
    @pytest.mark.parametrize("at", DATES, ids=lambda at: f"{at:%d %b}")
    @pytest.mark.usefixtures("few_customers")
    def test_tenants_stand_there_in_a_well_advanced_period_on_any_day(self, at: datetime) -> None:
        Standing.objects.all().delete()
        Tenant.objects.update(slug=Concat(Value("other-"), "slug"))
        there = World(at, make_world(Credentials(), at))
        TestAgain.still_fixed(there)
        for standing in Standing.objects.exclude(tenant__slug="tessellate-ai").select_related("tenant"):
            assert 0.55 < period_at(standing.tenant, at).elapsed(at) < 0.9


class TestOthers:
    @pytest.mark.usefixtures("few_customers")
    def test_a_tenant_of_somebody_elses_is_left_alone(self) -> None:
        Tenant.objects.update(slug=Concat(Value("other-"), "slug"))
        theirs = Tenant.objects.create(slug="lumen-atlas", name="Another Lumen")
        before = Tenant.objects.count()
        credentials = make_world(Credentials(), timezone.now())
        assert list(credentials.keys) == ["quill-and-co", "juniper-and-sons", "tessellate-ai"]
        assert Tenant.objects.count() == before + 3
        assert not theirs.memberships.exists()
        assert not UsageHour.objects.filter(tenant=theirs).exists()
