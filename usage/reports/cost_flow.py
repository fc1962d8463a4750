"""Where a bill goes: its services, by what each is split, and who carries what of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.models import CostLine
from usage.reports.charts import number
from usage.reports.money import money

# The colours of services, the dearest first; the last is for all others.
COLOURS = ("f1", "f2", "f3", "f5", "f4")
REST = "f6"
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar, in % of its width; `colour` is a class, empty for the hatched part."""

    name: str
    colour: str
    x: str
    width: str
    amount: str
    share: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service, or the part of it that one rule splits; amounts that are nothing are empty."""

    colour: str
    provider: str
    service: str
    driver: str
    rule: str
    to_tenants: str
    shared: str
    unallocated: str
    amount: str
    share: str
    strangers: str  # names in it that no tenant has


@dataclass(frozen=True)
class Flow:
    """The same bill twice, and as a table whose columns sum to it."""

    services: Sequence[Segment]
    carriers: Sequence[Segment]
    rows: Sequence[ServiceRow]
    total: ServiceRow

    @property
    def spoken_services(self) -> str:
        return ", ".join(f"{one.name} {one.share}" for one in self.services)

    @property
    def spoken_carriers(self) -> str:
        return ", ".join(f"{one.name} {one.share}" for one in self.carriers)


def flow(lines: Sequence[CostLine], *, with_provider: bool) -> Flow:
    """Where the bill with these lines goes; they are named with their provider where there may be several."""
    lines = sorted(lines, key=lambda one: (-one.amount, one.provider, one.service, one.number))
    total = sum_of(lines, "amount")
    colours = dict(zip([one.number for one in lines], COLOURS, strict=False))
    services = [(one.service, colours.get(one.number, REST), one.amount) for one in lines]
    carriers = [
        (_("Tenants"), "f0", sum_of(lines, "to_tenants")),
        (_("Unallocated"), "", sum_of(lines, "unallocated")),
        (_("Shared"), "f6", sum_of(lines, "shared")),
    ]
    return Flow(
        services=tuple(_segments(services)),
        carriers=tuple(_segments(carriers)),
        rows=tuple(_row(one, colours.get(one.number, REST), total, with_provider) for one in lines),
        total=_total(lines, total),
    )


def sum_of(lines: Sequence[CostLine], name: str) -> Decimal:
    return sum((getattr(one, name) for one in lines), NOTHING)


def shown(amount: Decimal) -> str:
    """An amount of a table; nothing is empty."""
    return money(amount) if amount else ""


def percent(part: Decimal, whole: Decimal, digits: int = 1) -> str:
    """“39.9 %”, “−10 %”; a dash where there is no whole."""
    if not whole:
        return "–"
    value = round(part * 100 / whole, digits)
    return f"{'−' if value < 0 else ''}{abs(value):,.{digits}f} %"


def _segments(parts: Sequence[tuple[str, str, Decimal]]) -> Iterator[Segment]:
    """The parts that are more than nothing, side by side: a credit has no length."""
    whole = sum((amount for *_rest, amount in parts if amount > 0), NOTHING)
    x = NOTHING
    for name, colour, amount in parts:
        if amount > 0:
            width = amount * 100 / whole
            share = f"{width:.0f} %"
            yield Segment(name, colour, number(float(x)), number(float(width)), money(amount), share)
            x += width


def _total(lines: Sequence[CostLine], amount: Decimal) -> ServiceRow:
    sums = {name: shown(sum_of(lines, name)) for name in ("to_tenants", "shared", "unallocated")}
    return ServiceRow(
        colour="",
        provider="",
        service=_("Bill"),
        driver="",
        rule="",
        amount=money(amount),
        share=percent(amount, amount),
        strangers="",
        **sums,
    )


def _row(one: CostLine, colour: str, total: Decimal, with_provider: bool) -> ServiceRow:
    return ServiceRow(
        colour=colour,
        provider=one.provider if with_provider else "",
        service=one.service,
        driver=one.driver,
        rule=one.rule,
        to_tenants=shown(one.to_tenants),
        shared=shown(one.shared),
        unallocated=shown(one.unallocated),
        amount=money(one.amount),
        share=percent(one.amount, total),
        strangers=", ".join(one.strangers),
    )
