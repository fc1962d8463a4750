"""Which rule a charge falls to, whose name stands in it, and how its service is split."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from billing.allocation import Direct, Driven, Mode, Shared
from billing.costs.bills import TypedRow, type_bill
from billing.costs.charges import Charged, charges
from billing.costs.division import Drivers, Item, costs_of, driver_words, items_of
from billing.costs.names import tenants_named
from billing.costs.rules import RuleBook, last_changes, rule_book
from billing.models import CostAlias, CostBill, CostRow, CostRule, CostWeight, Metric
from tests.conftest import MakeTenant

MONTH = date(2026, 11, 1)
AT = datetime(2026, 11, 23, 14, 2, tzinfo=UTC)
Driver = CostRule.Driver


def charge(service: str = "Amazon S3", **fields: Any) -> Charged:
    values = {"provider": "AWS", "category": "Usage", "sub_account": "", "tags": {}, "amount": Decimal(1)}
    return Charged(service=service, **{**values, **fields})


def rule(**fields: Any) -> CostRule:
    return CostRule(**{"name": "x", "driver": Driver.SHARED, **fields})


class TestMatching:
    @pytest.mark.parametrize(
        ("fields", "one", "does"),
        [
            ({}, charge(), True),
            ({"service": "amazon s3"}, charge(), True),
            ({"service": "Amazon *"}, charge(), True),
            ({"service": "*s3"}, charge(), True),
            ({"service": "*a*s*"}, charge(), True),
            ({"service": "Amazon"}, charge(), False),
            ({"service": "Amazon .3"}, charge(), False),
            ({"service": "Amazon [a-z]3"}, charge(), False),
            ({"provider": "aws"}, charge(), True),
            ({"provider": "Azure"}, charge(), False),
            ({"category": "tax"}, charge(category="Tax"), True),
            ({"category": "Tax"}, charge(), False),
            ({"sub_account": "prod-*"}, charge(sub_account="PROD-7"), True),
            ({"sub_account": "prod-*"}, charge(), False),
            ({"tag_key": "team"}, charge(tags={"team": "x"}), True),
            ({"tag_key": "team"}, charge(), False),
            ({"tag_key": "team"}, charge(tags={"team": ""}), False),
            ({"tag_key": "team", "tag_value": "dat*"}, charge(tags={"team": "Data"}), True),
            ({"tag_key": "team", "tag_value": "data"}, charge(tags={"team": "web"}), False),
            ({"driver": Driver.ACCOUNT}, charge(sub_account="7"), True),
            ({"driver": Driver.ACCOUNT}, charge(), False),
            ({"service": "Amazon *", "provider": "Azure"}, charge(), False),
        ],
    )
    def test_wants_all_that_a_rule_says(self, fields: dict[str, str], one: Charged, does: bool) -> None:
        assert (RuleBook([rule(**fields)]).rule_of(one) is not None) == does

    def test_the_first_that_matches_counts(self) -> None:
        rules = [rule(service="Amazon EC2"), rule(service="Amazon *"), rule()]
        assert RuleBook(rules).rule_of(charge()) is rules[1]

    def test_knows_the_tags_it_asks_for(self) -> None:
        book = RuleBook([rule(tag_key="team"), rule(), rule(tag_key="env"), rule(tag_key="team")])
        assert book.tags == ["env", "team"]


@pytest.mark.django_db
class TestRuleBook:
    def test_is_in_the_order_of_positions(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        metric = Metric.objects.get(code="api_calls")
        for position, name in ((3, "c"), (1, "a"), (2, "b")):
            CostRule.objects.create(position=position, name=name, driver=Driver.METRIC, metric=metric)
        with django_assert_num_queries(2):
            rules = rule_book().rules
            assert [(one.name, driver_words(one), list(one.weights.all())) for one in rules] == [
                (name, "API calls", []) for name in "abc"
            ]

    def test_a_change_of_anything_in_it_is_seen(self, make_tenant: MakeTenant) -> None:
        seen = [last_changes()]
        one = CostRule.objects.create(name="x", driver=Driver.WEIGHTS)
        seen.append(last_changes())
        weight = CostWeight.objects.create(rule=one, tenant=make_tenant(), weight=1)
        seen.append(last_changes())
        CostAlias.objects.create(value="nw", tenant=weight.tenant)
        seen.append(last_changes())
        one.delete()
        seen.append(last_changes())
        assert len({tuple(numbers) for numbers in seen}) == 5


class TestWhatARuleNeeds:
    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"driver": Driver.METRIC}, "metric"),
            ({"driver": Driver.SHARED, "metric_id": 1}, "metric"),
            ({"driver": Driver.TAG}, "tag_key"),
            ({"tag_value": "x"}, "tag_key"),
        ],
    )
    def test_is_said_beside_the_field(self, fields: dict[str, Any], wrong: str) -> None:
        with pytest.raises(ValidationError) as found:
            rule(**fields).clean()
        assert list(found.value.message_dict) == [wrong]

    @pytest.mark.django_db
    @pytest.mark.parametrize("driver", [Driver.METRIC, Driver.TAG])
    def test_is_kept_by_the_database(self, driver: str) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            rule(driver=driver).save()


@pytest.mark.django_db
class TestNames:
    def test_are_slugs_ids_and_aliases_in_any_case(
        self, make_tenant: MakeTenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        one, two = make_tenant("northwind"), make_tenant("acme")
        CostAlias.objects.create(value="NW-Prod", tenant=one)
        names = ["Northwind", "northwind", str(two.pk), " nw-prod", "NW-PROD", "zeta", "9" * 30, "0", "²"]
        with django_assert_num_queries(3):
            found = tenants_named(names)
        assert found == {
            "Northwind": one.pk,
            "northwind": one.pk,
            str(two.pk): two.pk,
            " nw-prod": one.pk,
            "NW-PROD": one.pk,
        }

    def test_an_alias_counts_before_a_slug(self, make_tenant: MakeTenant) -> None:
        one, two = make_tenant("northwind"), make_tenant("acme")
        CostAlias.objects.create(value="acme", tenant=one)
        assert tenants_named(["acme"]) == {"acme": one.pk}
        assert tenants_named([str(two.pk)]) == {str(two.pk): two.pk}

    def test_two_aliases_differ_in_more_than_case(self, make_tenant: MakeTenant) -> None:
        one = CostAlias.objects.create(value="nw", tenant=make_tenant())
        with pytest.raises(ValidationError, match="stands for a tenant already"):
            CostAlias(value="NW", tenant=one.tenant).full_clean()


@pytest.mark.django_db
class TestCharges:
    def bill(self, provider: str, *rows: tuple[str, str, dict[str, str]]) -> CostBill:
        bill = type_bill(
            provider, MONTH, [TypedRow(name, Decimal(amount)) for name, amount, _ in rows], author=None, at=AT
        )
        for line, (_, _, tags) in enumerate(rows, 1):
            CostRow.objects.filter(bill=bill, line=line).update(tags=tags)
        return bill

    def test_are_added_up_as_far_as_nobody_tells_them_apart(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        self.bill("AWS", ("old", "5", {}))
        aws = self.bill(
            "AWS",
            ("S3", "1.000000000001", {"team": "a", "x": "1"}),
            ("S3", "2.000000000002", {"team": "a", "x": "2"}),
            ("S3", "4", {"team": "b"}),
            ("S3", "-8", {}),
        )
        empty = type_bill("Azure", MONTH, [], author=None, at=AT)
        type_bill("AWS", date(2026, 10, 1), [TypedRow("S3", Decimal(9))], author=None, at=AT)
        with django_assert_num_queries(1):
            found = charges(MONTH, ["team"])
        assert found.bills == (aws.pk, empty.pk)
        assert sorted((row.tags.get("team"), row.amount) for row in found.rows if row.tags) == [
            ("a", Decimal("3.000000000003")),
            ("b", Decimal(4)),
        ]
        assert [row.amount for row in found.rows if not row.tags] == [Decimal(-8)]

    def test_a_month_without_a_bill_has_none(self) -> None:
        assert charges(MONTH, []) == charges(MONTH, ["team"])
        assert charges(MONTH, []).bills == ()


@pytest.mark.django_db
class TestDivision:
    drivers = Drivers({1: {7: 3}}, (7, 8))

    def split(self, **fields: Any) -> object:
        """How a rule splits what it gets."""
        item = Item("AWS", "S3", rule(**fields))
        return costs_of([item], self.drivers)[0][0].split

    def test_each_way_to_split_is_one_of_allocations(self) -> None:
        assert self.split(driver=Driver.METRIC, metric_id=1) == Driven({7: 3})
        assert self.split(driver=Driver.METRIC, metric_id=2) == Driven({})
        assert self.split(driver=Driver.EVEN) == Driven({7: 1, 8: 1})
        assert self.split(driver=Driver.SHARED, sharing=Mode.EVEN) == Shared(Mode.EVEN)
        assert self.split() == Shared(Mode.APART)

    def test_weights_are_those_of_the_rule(self, make_tenant: MakeTenant) -> None:
        one = CostRule.objects.create(name="x", driver=Driver.WEIGHTS)
        tenant = make_tenant()
        CostWeight.objects.create(rule=one, tenant=tenant, weight=5)
        assert costs_of([Item("AWS", "S3", one)], self.drivers)[0][0].split == Driven({tenant.pk: 5})

    def test_what_no_rule_matches_is_kept_apart(self) -> None:
        (item,) = items_of([charge()], RuleBook([]))
        assert (item.is_shared, driver_words(item.rule)) == (True, "not split")
        assert costs_of([item], self.drivers)[0][0].split == Shared(Mode.APART)

    def test_a_service_is_parted_by_its_rules_and_names_add_up(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("northwind")
        direct = CostRule.objects.create(name="own", driver=Driver.TAG, tag_key="tenant")
        rows = [
            charge(amount=Decimal("1.005"), tags={"tenant": "northwind"}),
            charge(amount=Decimal("2"), tags={"tenant": str(tenant.pk)}),
            charge(amount=Decimal("4"), tags={"tenant": "zeta"}),
            charge(amount=Decimal("5"), tags={"tenant": "omega"}),
            charge(amount=Decimal("8")),
        ]
        items = items_of(rows, RuleBook([direct]))
        costs, strangers = costs_of(items, self.drivers)
        assert [(item.rule, item.cents) for item in items] == [(direct, Fraction("1200.5")), (None, 800)]
        assert costs[0].split == Direct({tenant.pk: Fraction("300.5")})
        assert strangers == [["omega", "zeta"], []]
        assert len({cost.name for cost in costs}) == 2

    def test_a_sub_account_may_name_the_tenant(self, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("northwind")
        book = RuleBook([rule(driver=Driver.ACCOUNT, pk=1)])
        items = items_of([charge(sub_account="northwind"), charge()], book)
        costs, _ = costs_of(items, self.drivers)
        assert costs[0].split == Direct({tenant.pk: Fraction(100)})
        assert items[1].rule is None

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"driver": Driver.EVEN}, "Even"),
            ({"driver": Driver.WEIGHTS}, "Fixed weights"),
            ({"driver": Driver.TAG, "tag_key": "team"}, "Tag “team”"),
            ({"driver": Driver.ACCOUNT}, "Sub-account"),
            ({"sharing": Mode.PROPORTIONAL}, "shared in proportion"),
            ({"sharing": Mode.EVEN}, "shared evenly"),
            ({}, "not split"),
        ],
    )
    def test_each_says_in_words_by_what_it_splits(self, fields: dict[str, str], words: str) -> None:
        assert driver_words(rule(**{"sharing": Mode.APART, **fields})) == words
