"""The card of the spend cap: what is left of it, who set it, and what the form holds; all against overage alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings
from django.utils.dateformat import format as written
from django.utils.translation import gettext as _

from billing.caps import Caps, caps_in_force
from billing.models import SpendCap
from tenants.models import Tenant
from usage.alerts.spending import FULL, NEAR, cents
from usage.amounts import SIGNS
from usage.reports import dates
from usage.reports.charts import Bar, bar
from usage.reports.facts import State
from usage.reports.meters import Look, Meter
from usage.reports.money import money
from usage.reports.people import name_of
from usage.reports.readings import Reading

NONE = "none"  # no cap, in the form
STOP = SpendCap.Mode.STOP


@dataclass(frozen=True, slots=True)
class Entry:
    """What the form holds: what was saved or, with what is wrong about it, what was typed.

    `question` says what happens at once if it is saved; it is asked before.
    """

    mode: str
    amount: str
    problems: Mapping[str, str] = field(default_factory=dict)  # by field
    question: str = ""
    is_saved: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """The cap in force: how much of it is spent, as a bar and in words."""

    look: Look
    bar: Bar
    spoken: str
    strong: str
    rest: str


@dataclass(frozen=True, slots=True)
class CapCard:
    """A tenant's spend cap; `fill` is none where there is no cap, `notes` are sentences about it."""

    tenant: Tenant
    fill: Fill | None
    entry: Entry
    may_edit: bool
    spent: str
    until: str
    sign: str
    notes: tuple[str, ...]
    author: str


def cap_report(
    read: Reading, *, may_edit: bool, for_staff: bool = False, entry: Entry | None = None
) -> CapCard:
    """The card to what `read` says, which was read with money; `entry` is what somebody typed."""
    rows = {cap.side: cap for cap in read.contracts.spend_caps(read.tenant)}
    own, theirs = rows.get(SpendCap.Side.OWNER), rows.get(SpendCap.Side.OPERATIONS)
    return CapCard(
        tenant=read.tenant,
        fill=_fill(caps_in_force(rows.values()), read),
        entry=entry or _entry(own),
        may_edit=may_edit,
        spent=money(spent_of(read)),
        until=dates.short(read.period.until),
        sign=SIGNS.get(settings.HEADROOM_CURRENCY, settings.HEADROOM_CURRENCY),
        notes=tuple(note for note in (_of_operations(theirs), *_cautions(read)) if note),
        author=_author(own, for_staff=for_staff) if own else "",
    )


def spent_of(read: Reading) -> Decimal:
    """What use beyond the plan costs so far."""
    assert read.bill is not None  # asked only for who sees money
    return read.bill.overage


def question(read: Reading, mode: str, amount: Decimal) -> str:
    """What such a cap does at once; empty where it does nothing yet."""
    spent = spent_of(read)
    if mode != STOP or not spent or amount > spent:
        return ""
    facts = {"spent": money(spent), "day": dates.short(read.period.until)}
    return (
        _(
            "%(spent)s is spent already: billable requests are refused at once until %(day)s. "
            "Included amounts keep working."
        )
        % facts
    )


def _entry(own: SpendCap | None) -> Entry:
    return Entry(own.mode, f"{own.amount:.2f}") if own else Entry(NONE, "")


def _fill(caps: Caps, read: Reading) -> Fill | None:
    if not caps.amounts:
        return None
    stops = caps.stop is not None
    amount = caps.stop if caps.stop is not None else min(caps.notify)
    spent, forecast = spent_of(read), read.outlook.bill.overage if read.outlook else None
    expected = None if forecast is None else cents(forecast)
    look = _look(amount, spent, forecast, read.meters, stops=stops)
    return Fill(
        look=look,
        bar=bar(cents(spent), cents(amount), is_billed=not stops, expected=expected),
        spoken=_spoken(amount, spent, forecast),
        strong=_("%(left)s left") % {"left": money(amount - spent)}
        if spent < amount
        else _("%(spent)s spent") % {"spent": money(spent)},
        rest=_rest(amount, forecast),
    )


def _look(
    amount: Decimal, spent: Decimal, forecast: Decimal | None, meters: Sequence[Meter], *, stops: bool
) -> Look:
    if stops and (spent >= amount > 0 or any(meter.is_capped for meter in meters)):
        return Look(State.FULL.value, str(State.FULL.label))
    if not stops and spent >= amount and spent:
        return Look(State.OVER.value, _("Reached · billed"))
    if amount and (spent * 100 >= amount * NEAR or (forecast or 0) * 100 >= amount * FULL):
        return Look(State.NEAR.value, str(State.NEAR.label))
    return Look(State.OK.value, str(State.OK.label))


def _spoken(amount: Decimal, spent: Decimal, forecast: Decimal | None) -> str:
    """The bar in words."""
    if not amount:
        return _("Spend beyond the plan: %(spent)s of nothing") % {"spent": money(spent)}
    facts = {"spent": int(spent * 100 / amount), "forecast": int((forecast or 0) * 100 / amount)}
    if forecast is None:
        return _("Spend beyond the plan: %(spent)s %% of the cap") % facts
    return _("Spend beyond the plan: %(spent)s %% of the cap, forecast %(forecast)s %%") % facts


def _rest(amount: Decimal, forecast: Decimal | None) -> str:
    of = _("of %(amount)s beyond the plan") % {"amount": money(amount)}
    return of if forecast is None else _("%(of)s · forecast %(sum)s") % {"of": of, "sum": money(forecast)}


def _of_operations(cap: SpendCap | None) -> str:
    if cap is None:
        return ""
    facts = {"amount": money(cap.amount), "day": written(cap.since, "j M Y")}
    if cap.mode == STOP:
        return _("Operations stop billed use at %(amount)s, since %(day)s. The lower cap counts.") % facts
    return _("Operations are told at %(amount)s, since %(day)s. It stops nothing.") % facts


def _cautions(read: Reading) -> list[str]:
    """What a cap can't do."""
    priced = [meter for meter in read.meters if meter.is_priced]
    if not priced:
        text = _("%(plan)s bills nothing beyond its fee, so a cap has nothing to stop.")
        return [text % {"plan": read.plan.name}]
    text = _("%(name)s beyond what is included goes on costing by the hour until it is freed, cap or not.")
    return [text % {"name": meter.metric.name} for meter in priced if meter.is_level and meter.excess]


def _author(cap: SpendCap, *, for_staff: bool) -> str:
    facts = {"name": name_of(cap.author, for_staff=for_staff), "day": written(cap.since, "j M Y")}
    return _("Set by %(name)s, %(day)s.") % facts if facts["name"] else _("Set on %(day)s.") % facts
