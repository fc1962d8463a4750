"""Which division of which bills the cost page looks at: the month, its version, one provider or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.utils.dateformat import format as written
from django.utils.translation import gettext as _

from billing.models import Allocation, CostBill
from usage.costs.months import Month
from usage.reports import dates

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is asked for; empty = the newest month, its newest version, all providers and tenants."""

    month: str = ""
    version: str = ""  # the id of an allocation: another month's counts for nothing
    provider: str = ""
    only: str = ""
    sort: str = ""
    page: int = 1

    def address(self, **changes: object) -> str:
        """The query string of this page with changes; empty where nothing is asked."""
        values = vars_of(replace(self, **changes))  # type: ignore[arg-type]  # each is what its field takes
        given = {name: value for name, value in values.items() if value not in ("", 1)}
        return f"?{urlencode(given)}" if given else ""


def vars_of(asked: Asked) -> dict[str, str | int]:
    return {name: getattr(asked, name) for name in Asked.__slots__}


class Option(NamedTuple):
    """A choice of a select."""

    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class Choice:
    """The allocation that is looked at, the bills it divides, and what else may be chosen.

    `asked` has only what there is.
    """

    asked: Asked
    allocation: Allocation
    bills: Sequence[CostBill]  # those looked at
    months: Sequence[Option]
    versions: Sequence[Option]
    providers: Sequence[Option]
    at: datetime

    @property
    def days(self) -> str:
        """“1–23 Nov 2026”: the days of the month that are divided."""
        return _days(Month(self.allocation.month), self.at)

    @property
    def currency(self) -> str:
        return settings.HEADROOM_CURRENCY


def choice(asked: Asked, at: datetime) -> Choice | None:
    """What is looked at; None where nothing was divided yet. Two queries."""
    every = list(Allocation.objects.defer("moved").order_by("-month", "-version"))
    if not every:
        return None
    newest: dict[str, Allocation] = {}
    for one in every:
        newest.setdefault(f"{one.month:%Y-%m}", one)
    month = asked.month if asked.month in newest else next(iter(newest))
    versions = [one for one in every if one.month == newest[month].month]
    chosen = next((one for one in versions if str(one.pk) == asked.version), versions[0])
    bills = list(CostBill.objects.filter(pk__in=chosen.bills).order_by("provider"))
    provider = asked.provider if any(bill.provider == asked.provider for bill in bills) else ""
    return Choice(
        asked=replace(
            asked,
            month="" if month == next(iter(newest)) else month,
            version="" if chosen is versions[0] else str(chosen.pk),
            provider=provider,
        ),
        allocation=chosen,
        bills=[bill for bill in bills if provider in ("", bill.provider)],
        months=[Option(key, _month_words(one, at), key == month) for key, one in newest.items()],
        versions=[Option(str(one.pk), _version_words(one), one is chosen) for one in versions],
        providers=[
            Option("", _("All providers"), not provider),
            *(Option(bill.provider, bill.provider, bill.provider == provider) for bill in bills),
        ],
        at=at,
    )


def _month_words(one: Allocation, at: datetime) -> str:
    if one.is_final:
        return _("%(month)s, closed") % {"month": written(one.month, "M Y")}
    return _days(Month(one.month), at)


def _version_words(one: Allocation) -> str:
    made = one.made_at.astimezone(UTC)
    values = {"n": one.version, "day": dates.short(made.date()), "time": f"{made:%H:%M}"}
    return _("Version %(n)d, %(day)s %(time)s UTC") % values


def _days(month: Month, at: datetime) -> str:
    last = min(month.until - DAY, max(month.first, at.astimezone(UTC).date()))
    return dates.days(month.first, last)
