"""What a bill holds, added up per provider, month and service while it is read once; kept as JSON meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from billing.focus import Charge, Reading
from billing.focus_cells import EXACT
from billing.focus_lines import mistake
from billing.import_rows import Mistake

MOST_BILLS = 120
MOST_SERVICES = 5_000


@dataclass(frozen=True, slots=True)
class ServiceSum:
    """A service of a bill: how many rows, and their sum."""

    service: str
    rows: int
    total: Decimal


@dataclass(frozen=True, slots=True)
class BillSum:
    """What a file holds for a provider and month; charges begin at `first` and end before `last`."""

    provider: str
    month: date
    rows: int
    total: Decimal
    first: datetime
    last: datetime
    services: tuple[ServiceSum, ...]  # the dearest first


@dataclass(frozen=True, slots=True)
class Summary:
    """What importing a file would write; `unknown` are columns that FOCUS does not have."""

    bills: tuple[BillSum, ...]
    unknown: tuple[str, ...]
    sha256: str

    @property
    def rows(self) -> int:
        return sum(bill.rows for bill in self.bills)


@dataclass(slots=True)
class _Tally:
    """A bill while it is added up."""

    first: datetime
    last: datetime
    rows: int = 0
    services: dict[str, tuple[int, Decimal]] = field(default_factory=dict)

    def add(self, charge: Charge) -> None:
        self.rows += 1
        self.first = min(self.first, charge.starts)
        self.last = max(self.last, charge.ends or charge.starts)
        rows, total = self.services.get(charge.service, (0, Decimal(0)))
        self.services[charge.service] = rows + 1, EXACT.add(total, charge.amount)


def summarise(reading: Reading) -> Summary:
    """Read all of a bill and add it up; raises Refused where it has mistakes."""
    tallies: dict[tuple[str, date], _Tally] = {}
    services = 0
    for charge in reading:
        key = charge.provider, charge.month
        tally = tallies.get(key) or tallies.setdefault(key, _Tally(charge.starts, charge.starts))
        services += charge.service not in tally.services
        tally.add(charge)
        if len(tallies) > MOST_BILLS or services > MOST_SERVICES:
            reading.note(_too_many(charge, len(tallies) > MOST_BILLS))
            break
    reading.check()
    bills = tuple(_bill(*key, tallies[key]) for key in sorted(tallies))
    return Summary(bills, tuple(reading.unknown), reading.sha256)


def _too_many(charge: Charge, is_bills: bool) -> Mistake:
    if is_bills:
        remedy = _("More than %(most)d providers and months in one file: import it in parts.")
        value, most = f"{charge.provider}, {charge.month:%Y-%m}", MOST_BILLS
    else:
        remedy = _("More than %(most)d services: is this column the name of a service?")
        value, most = charge.service, MOST_SERVICES
    column = _("file") if is_bills else "ServiceName"
    return mistake(charge.line, column, value, remedy % {"most": most})


def _bill(provider: str, month: date, tally: _Tally) -> BillSum:
    services = [ServiceSum(name, *sums) for name, sums in tally.services.items()]
    services.sort(key=lambda one: (-one.total, one.service))
    total = Decimal(0)
    for one in services:
        total = EXACT.add(total, one.total)
    return BillSum(provider, month, tally.rows, total, tally.first, tally.last, tuple(services))


def as_json(summary: Summary) -> dict[str, object]:
    """The summary as JSON keeps it: sums as text, so that they stay exact."""
    bills = [
        {
            "provider": bill.provider,
            "month": bill.month.isoformat(),
            "first": bill.first.isoformat(),
            "last": bill.last.isoformat(),
            "rows": bill.rows,
            "total": str(bill.total),
            "services": [[one.service, one.rows, str(one.total)] for one in bill.services],
        }
        for bill in summary.bills
    ]
    return {"bills": bills, "unknown": list(summary.unknown), "sha256": summary.sha256}


def from_json(kept: Mapping[str, Any]) -> Summary:
    """The summary that `as_json` wrote."""
    bills = tuple(
        BillSum(
            provider=bill["provider"],
            month=date.fromisoformat(bill["month"]),
            rows=bill["rows"],
            total=Decimal(bill["total"]),
            first=datetime.fromisoformat(bill["first"]),
            last=datetime.fromisoformat(bill["last"]),
            services=tuple(ServiceSum(name, rows, Decimal(sum_)) for name, rows, sum_ in bill["services"]),
        )
        for bill in kept["bills"]
    )
    return Summary(bills, tuple(kept["unknown"]), kept["sha256"])
