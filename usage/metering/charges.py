"""Checks charges before they are sent, and packs them for consume.lua."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from billing.models import Metric
from tenants.models import Tenant
from usage.metering.catalogue import Catalogue, catalogue
from usage.metering.sockets import bulks
from usage.metering.types import (
    LABEL_BYTES,
    MAX_QUANTITY,
    MEMBER_BYTES,
    Charge,
    InvalidAmount,
    InvalidLabel,
    InvalidMember,
    TenantClosed,
)

REMEMBERED = 2_000  # charges, for the five seconds that a catalogue lives

OPS = {Metric.Kind.SUM: "s", Metric.Kind.LEVEL: "l", Metric.Kind.DISTINCT: "d"}


class Packed(NamedTuple):
    """One charge; `wire` is how consume.lua takes it: op, metric, amount, label, member."""

    op: str
    charge: Charge
    metric: Metric
    wire: bytes

    def of(self, amount: int) -> Packed:
        """The same with another amount."""
        return _packed(self.op, self.charge._replace(amount=amount), self.metric)


def check_open(tenant: Tenant) -> None:
    """Raises TenantClosed for a tenant that may use nothing any more."""
    if tenant.is_closed:
        raise TenantClosed(f"{tenant.slug} is closed: reopen it in the admin to count for it.")


def pack(charge: Charge) -> Packed:
    """Check a charge and say what it does. Raises a ChargeError that names the value and the remedy."""
    book = catalogue(code=charge.metric)
    # 1 == 1.0 == True: what only equals a charge that was good must be checked itself.
    known: Packed | None = book.memory.get(charge) if type(charge.amount) is int else None
    if known:
        return known
    metric = book.metric(charge.metric)
    _check_amount(charge, metric)
    _check_label(charge)
    _check_member(charge, metric)
    return _remember(book, charge, _packed(OPS[Metric.Kind(metric.kind)], charge, metric))


def pack_level(code: str, amount: int) -> Packed:
    """A level that was measured: `amount` is what it is now. Raises a ChargeError."""
    metric = catalogue(code=code).metric(code)
    if metric.kind != Metric.Kind.LEVEL:
        raise InvalidAmount(f"{code} is a {metric.kind}: only a level can be measured; consume or record it.")
    if type(amount) is not int or not 0 <= amount <= MAX_QUANTITY:
        raise InvalidAmount(f"{code}: {amount!r} can't be a level; give a whole number from 0 to 2**53.")
    return _packed("m", Charge(code, amount), metric)


def pack_looks(op: str, codes: Iterable[str]) -> list[Packed]:
    """Gates (`g`) or peeks (`p`) at metrics, which count nothing. Raises UnknownMetric."""
    return [_look(op, code) for code in codes]


def _look(op: str, code: str) -> Packed:
    book = catalogue(code=code)
    if known := book.memory.get((op, code)):
        return cast(Packed, known)
    return _remember(book, (op, code), _packed(op, Charge(code, 0), book.metric(code)))


def _packed(op: str, charge: Charge, metric: Metric) -> Packed:
    wire = bulks(op, charge.metric, charge.amount, charge.label, charge.member or "")
    return Packed(op, charge, metric, wire)


def _remember(book: Catalogue, key: object, packed: Packed) -> Packed:
    """Amounts and members may be new each time, so this must not grow for ever."""
    if len(book.memory) >= REMEMBERED:
        book.memory.clear()
    book.memory[key] = packed
    return packed


def _check_amount(charge: Charge, metric: Metric) -> None:
    amount = charge.amount
    if type(amount) is not int:
        raise InvalidAmount(f"{charge.metric}: {amount!r} is a {type(amount).__name__}; give a whole number.")
    if amount == 0 or abs(amount) > MAX_QUANTITY:
        raise InvalidAmount(f"{charge.metric}: {amount} can't be counted; give 1 to 2**53 units.")
    if amount < 0 and metric.kind != Metric.Kind.LEVEL:
        raise InvalidAmount(
            f"{charge.metric}: {amount} is negative, but a {metric.kind} only adds; only levels go down."
        )
    if amount != 1 and metric.kind == Metric.Kind.DISTINCT:
        raise InvalidAmount(f"{charge.metric}: {amount} at once; count distinct members one by one.")


def _check_label(charge: Charge) -> None:
    size = len(charge.label.encode(errors="surrogatepass"))
    if size > LABEL_BYTES:
        raise InvalidLabel(f"Label {charge.label!r} has {size} bytes; use at most {LABEL_BYTES}.")
    if not charge.label.isprintable():
        raise InvalidLabel(f"Label {charge.label!r} has control characters; take them out.")


def _check_member(charge: Charge, metric: Metric) -> None:
    if metric.kind != Metric.Kind.DISTINCT:
        if charge.member is not None:
            raise InvalidMember(
                f"{charge.metric} is a {metric.kind}: it has no members, drop {charge.member!r}."
            )
        return
    if not charge.member:
        raise InvalidMember(f"{charge.metric} counts different members: say which one used it.")
    size = len(charge.member.encode(errors="surrogatepass"))
    if size > MEMBER_BYTES or not charge.member.isprintable():
        raise InvalidMember(
            f"Member {charge.member[:40]!r}: use at most {MEMBER_BYTES} printable bytes, not {size}."
        )
