"""Spend caps: which amounts of overage stop or tell in a period; who sets and lifts them. The lower stop counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing.changes import Kind, limits_changed
from billing.models import SpendCap
from tenants.models import Tenant, User

STOP, OPERATIONS = SpendCap.Mode.STOP, SpendCap.Side.OPERATIONS


@dataclass(frozen=True, slots=True)
class Caps:
    """Amounts of overage per period: at `stop` billed use ends (none = never), each of `notify` only tells."""

    stop: Decimal | None = None
    notify: tuple[Decimal, ...] = ()

    @property
    def amounts(self) -> tuple[Decimal, ...]:
        """All that people are told of."""
        return self.notify if self.stop is None else (*self.notify, self.stop)


NO_CAPS = Caps()


def caps_in_force(caps: Iterable[SpendCap]) -> Caps:
    """What the caps of one tenant come to: of those that stop the lowest; one that only tells does so by itself."""
    rows = list(caps)
    stop = min((cap.amount for cap in rows if cap.mode == STOP), default=None)
    notify = {cap.amount for cap in rows if cap.mode != STOP} - {stop}
    return Caps(stop, tuple(sorted(notify)))


def caps_of(tenant_ids: Iterable[int]) -> dict[int, Caps]:
    """The caps of tenants that have one; one query."""
    rows: dict[int, list[SpendCap]] = {}
    for cap in SpendCap.objects.filter(tenant__in=list(tenant_ids)):
        rows.setdefault(cap.tenant_id, []).append(cap)
    return {tenant_id: caps_in_force(mine) for tenant_id, mine in rows.items()}


@transaction.atomic
def set_cap(
    tenant: Tenant, *, side: str, mode: str, amount: Decimal, at: datetime, actor: User | None
) -> SpendCap:
    """Cap the overage of `tenant` at `amount` a period, this one included; felt within two seconds.

    The same cap again changes nothing.
    """
    cap = _locked(tenant, side) or SpendCap(tenant=tenant, side=side)
    if cap.pk and (cap.mode, cap.amount) == (mode, amount):
        return cap
    cap.mode, cap.amount, cap.author, cap.since = mode, amount, actor, at
    _sign(cap, actor, at)
    cap.save()
    _tell(cap, words(cap), actor, at)
    return cap


@transaction.atomic
def lift_cap(tenant: Tenant, *, side: str, at: datetime, actor: User | None) -> bool:
    """Let the overage of `tenant` go on without this side's cap; False where there was none."""
    cap = _locked(tenant, side)
    if cap is None:
        return False
    _sign(cap, actor, at)
    cap.delete()
    _tell(cap, f"lifted: {words(cap)}", actor, at)
    return True


def words(cap: SpendCap) -> str:
    """“stop billed use at 390.00 USD a period”."""
    verb = "stop billed use" if cap.mode == STOP else "tell"
    return f"{verb} at {cap.amount:,.2f} {settings.HEADROOM_CURRENCY} a period"


def _locked(tenant: Tenant, side: str) -> SpendCap | None:
    """The side's cap; two who change a tenant's caps wait for each other, and for who counts by them."""
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    return SpendCap.objects.filter(tenant=tenant, side=side).first()


def _sign(cap: SpendCap, actor: User | None, at: datetime) -> None:
    cap._history_user, cap._history_date = actor, at


def _tell(cap: SpendCap, what: str, actor: User | None, at: datetime) -> None:
    reason = f"Operations: {what}" if cap.side == OPERATIONS else f"{what[0].upper()}{what[1:]}"
    tenants = Tenant.objects.filter(pk=cap.tenant_id)
    limits_changed(tenants, reason=reason, at=at, actor=actor, kind=Kind.CAP)
