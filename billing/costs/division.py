"""What is to be divided: a month's services, parted by the rule each charge falls to, and how each part is split."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from django.utils.translation import gettext as _

from billing.allocation import Cost, Direct, Driven, Mode, Shared
from billing.costs.charges import Charged
from billing.costs.names import tenants_named
from billing.costs.rules import RuleBook
from billing.models import CostRule
from billing.pricing import CENTS

Driver = CostRule.Driver
MOST_STRANGERS = 10
NOTHING: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class Drivers:
    """What was used in a month: units of each metric (id) by tenant id, and which tenants used anything."""

    quantities: Mapping[int, Mapping[int, int]]
    active: Collection[int]


@dataclass(slots=True)
class Item:
    """A service, or the part of it that one rule splits; `named` is what of it each name is charged."""

    provider: str
    service: str
    rule: CostRule | None
    cents: Fraction = Fraction(0)
    named: dict[str, Fraction] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        return self.rule is None or self.rule.driver == Driver.SHARED

    @property
    def key(self) -> str:
        """A name of its own within its bill, the same whenever it is divided."""
        return (
            f"{self.service}\n{self.rule.position if self.rule else ''}\n{self.rule.pk if self.rule else ''}"
        )

    def add(self, charge: Charged) -> None:
        cents = Fraction(charge.amount) * CENTS
        self.cents += cents
        if name := _name_in(charge, self.rule):
            self.named[name] = self.named.get(name, Fraction(0)) + cents


def items_of(rows: Sequence[Charged], book: RuleBook) -> list[Item]:
    """The services of `rows` by provider and name, each parted by its rules."""
    items: dict[tuple[str, str, int | None], Item] = {}
    for charge in rows:
        rule = book.rule_of(charge)
        key = charge.provider, charge.service, rule.pk if rule else None
        items.setdefault(key, Item(charge.provider, charge.service, rule)).add(charge)
    return list(items.values())


def costs_of(items: Sequence[Item], drivers: Drivers) -> tuple[list[Cost], list[list[str]]]:
    """The items as allocation takes them, and of each the names in it that no tenant has, dearest first."""
    known = tenants_named(name for item in items for name in item.named)
    costs = [Cost(item.provider, item.key, item.cents, _split(item, known, drivers)) for item in items]
    strangers = [
        sorted(item.named.keys() - known.keys(), key=lambda n: (-item.named[n], n)) for item in items
    ]
    return costs, [names[:MOST_STRANGERS] for names in strangers]


def driver_words(rule: CostRule | None) -> str:
    """By what a rule splits, in a few words."""
    if rule is None:
        return _("not split")
    if rule.driver == Driver.METRIC:
        assert rule.metric is not None  # the database checks it
        return rule.metric.name
    if rule.driver == Driver.SHARED:
        return {
            Mode.APART.value: _("not split"),
            Mode.PROPORTIONAL.value: _("shared in proportion"),
            Mode.EVEN.value: _("shared evenly"),
        }[rule.sharing]
    return {
        Driver.EVEN.value: _("Even"),
        Driver.WEIGHTS.value: _("Fixed weights"),
        Driver.TAG.value: _("Tag “%s”") % rule.tag_key,
        Driver.ACCOUNT.value: _("Sub-account"),
    }[rule.driver]


def _name_in(charge: Charged, rule: CostRule | None) -> str:
    """What names the tenant in a charge that is somebody's own; empty for others."""
    if rule is None or rule.driver not in (Driver.TAG, Driver.ACCOUNT):
        return ""
    return charge.tags[rule.tag_key] if rule.driver == Driver.TAG else charge.sub_account


def _split(item: Item, known: Mapping[str, int], drivers: Drivers) -> Direct | Driven | Shared:
    rule = item.rule
    if rule is None:
        return Shared(Mode.APART)
    match rule.driver:
        case Driver.METRIC:
            return Driven(drivers.quantities.get(rule.metric_id or 0, NOTHING))
        case Driver.EVEN:
            return Driven(dict.fromkeys(drivers.active, 1))
        case Driver.WEIGHTS:
            return Driven({weight.tenant_id: weight.weight for weight in rule.weights.all()})
        case Driver.SHARED:
            return Shared(Mode(rule.sharing))
    cents: dict[int, Fraction] = {}
    for name, amount in item.named.items():
        if name in known:
            cents[known[name]] = cents.get(known[name], Fraction(0)) + amount
    return Direct(cents)
