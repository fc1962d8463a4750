"""Which rule each service of a month's bills falls to: what the rules are tested with before anything is divided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.costs.charges import charges
from billing.costs.division import Item, driver_words, items_of
from billing.costs.names import tenants_named
from billing.costs.rules import rule_book
from billing.models import CostBill
from billing.pricing import CENTS, rounded

MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a service, or of the part of it that one rule takes; no rule = it is shared, kept apart."""

    provider: str
    service: str
    amount: Decimal
    rule: str
    driver: str
    strangers: str  # names in it that no tenant has

    @property
    def words(self) -> str:
        """“API calls (Compute)”, by what it is split and the rule that says so."""
        return f"{self.driver} ({self.rule})" if self.rule else _("no rule: not split")


@dataclass(frozen=True, slots=True)
class Coverage:
    """The services of a month, dearest first."""

    month: date
    fates: Sequence[Fate]

    @property
    def missed(self) -> int:
        """Services of which no rule takes all."""
        return len({(one.provider, one.service) for one in self.fates if not one.rule})

    @property
    def covered(self) -> int:
        return len({(one.provider, one.service) for one in self.fates}) - self.missed

    @property
    def sentence(self) -> str:
        """“The rules cover 12 services of November 2026, 1 not.”"""
        words = ngettext(
            "The rules cover %(n)d service of", "The rules cover %(n)d services of", self.covered
        )
        values = {"n": self.covered, "month": f"{self.month:%Y-%m}", "missed": self.missed}
        return (words + " " + _("%(month)s, %(missed)d not.")) % values

    def by_service(self) -> Mapping[tuple[str, str], list[str]]:
        """How each service is split, in words."""
        found: dict[tuple[str, str], list[str]] = {}
        for one in self.fates:
            found.setdefault((one.provider, one.service), []).append(one.words)
        return {service: sorted(words) for service, words in found.items()}


def coverage() -> Coverage | None:
    """What the rules as they are now do with the newest month that has a bill; None where there is none."""
    month = CostBill.objects.current().order_by("-month").values_list("month", flat=True).first()
    if month is None:
        return None
    book = rule_book()
    items = items_of(charges(month, book.tags).rows, book)
    items.sort(key=lambda item: (-item.cents, item.provider, item.key))
    known = tenants_named(name for item in items for name in item.named)
    return Coverage(month, [_fate(item, known) for item in items])


def differences(before: Coverage | None, after: Coverage | None) -> list[str]:
    """One line for each service that falls to others than before: “AWS, Compute: no rule: not split → API calls”."""
    if before is None or after is None:
        return []
    was, now = before.by_service(), after.by_service()
    return [
        f"{provider}, {service}: {' + '.join(was[provider, service])} → {' + '.join(words)}"
        for (provider, service), words in now.items()
        if was.get((provider, service), words) != words
    ]


def _fate(item: Item, known: Mapping[str, int]) -> Fate:
    strangers = sorted(item.named.keys() - known.keys(), key=lambda name: (-item.named[name], name))
    names = ", ".join(strangers[:MOST_NAMES])
    return Fate(
        provider=item.provider,
        service=item.service,
        amount=rounded(item.cents / CENTS),
        rule=item.rule.name if item.rule else "",
        driver=driver_words(item.rule),
        strangers=f"{names}, …" if len(strangers) > MOST_NAMES else names,
    )
