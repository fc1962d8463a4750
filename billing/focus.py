"""Reads a provider's bill as FOCUS CSV: a stream of charges, and of all mistakes the first and how many."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import gettext as _

from billing import focus_cells as cells_of
from billing.focus_columns import canonical, missing, repeated, unknown
from billing.focus_lines import MOST_UNPACKED, Fault, Lines, Unpacked, mistake
from billing.import_rows import Mistake

MOST_SHOWN = 20  # mistakes that are kept; the others are counted


class Charge(NamedTuple):
    """One row of a bill; the amount is the effective cost where given, else the billed one, to twelve places.

    `month` is the first day of the billing month, `tags` the text of a JSON object, `ends` exclusive.
    """

    line: int
    provider: str
    month: date
    service: str
    category: str
    sub_account: str
    tags: str
    amount: Decimal
    starts: datetime
    ends: datetime | None


class Refused(Exception):
    """The bill has mistakes: nothing of it may be imported. `mistakes` are the first of `count`."""

    def __init__(self, mistakes: list[Mistake], count: int) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes
        self.count = count

    @property
    def more(self) -> int:
        """Mistakes beyond the first ones."""
        return self.count - len(self.mistakes)


class Reading:
    """One pass over a bill: iterate for its charges, then look at what was found.

    `provider` is whose bill it is where a row does not say so. Rows with a mistake are left out.
    """

    def __init__(self, file: Unpacked, *, provider: str = "", most: int | None = MOST_UNPACKED) -> None:
        self.mistakes: list[Mistake] = []
        self.count = 0  # of all mistakes
        self.unknown: list[str] = []  # columns that FOCUS does not have
        self._lines = Lines(file, most)
        self._provider = provider
        self._currencies: set[str] = set()
        self._width = 0
        self._row_line = 1  # where the row that is read begins
        self._cells: list[tuple[str, int, Callable[[str], Any]]] = []

    @property
    def sha256(self) -> str:
        """Of the unpacked bytes, once all are read."""
        return self._lines.sha256

    def __iter__(self) -> Iterator[Charge]:
        is_empty = True
        try:
            for cells in self._rows():
                if not self._width:
                    self._begin(cells)
                    if self.mistakes:
                        return
                elif charge := self._charge(self._row_line, cells):
                    is_empty = False
                    yield charge
        except Fault as fault:
            self.note(fault.mistake)
        except csv.Error as error:
            remedy = _(
                "This is no CSV (%(error)s): close each quotation mark, and quote cells that hold one."
            )
            self.note(mistake(self._row_line, _("row"), "", remedy % {"error": error}))
        if is_empty and not self.mistakes:
            remedy = _("There is no row below the header.") if self._width else _("The file is empty.")
            self.note(mistake(1, _("file"), "", remedy))

    def note(self, found: Mistake) -> None:
        """Keep a mistake, or at least count it."""
        self.count += 1
        if len(self.mistakes) < MOST_SHOWN:
            self.mistakes.append(found)

    def check(self) -> None:
        """Raises Refused where there were mistakes."""
        if self.count:
            raise Refused(self.mistakes, self.count)

    def _rows(self) -> Iterator[list[str]]:
        """Rows that hold something."""
        reader = csv.reader(self._lines, strict=True)
        while True:
            self._row_line = self._lines.number + 1
            self._lines.begin_row()
            cells = next(reader, None)
            if cells is None:
                return
            if any(cells):
                yield cells

    def _begin(self, header: list[str]) -> None:
        """Learn from the header where the cells stand."""
        names = canonical(header)
        self._width, self.unknown = len(names), unknown(names)
        shown = ",".join(names)
        if lacking := missing(names):
            remedy = _("%(names)s missing: the first line names the columns of FOCUS, parted by commas.")
            self.note(mistake(1, _("header"), shown, remedy % {"names": ", ".join(lacking)}))
        for name in repeated(names):
            self.note(mistake(1, _("header"), name, _("It stands twice: keep one of the columns.")))
        self._cells = [(name, names.index(name), read) for name, read in _READ.items() if name in names]

    def _charge(self, line: int, cells: list[str]) -> Charge | None:
        """The row's charge; None, and its mistakes noted, where it has any."""
        before = self.count
        if len(cells) != self._width:
            remedy = _("It has %(n)d cells, the header has %(width)d: put cells that hold a comma in quotes.")
            values = {"n": len(cells), "width": self._width}
            self.note(mistake(line, _("row"), ",".join(cells), remedy % values))
            return None
        found: dict[str, Any] = dict.fromkeys(_READ)
        for name, place, read in self._cells:
            try:
                found[name] = read(cells[place])
            except cells_of.BadCell as wrong:
                self.note(mistake(line, name, cells[place], str(wrong)))
        if self.count == before:
            self._check(line, found)
        return None if self.count > before else self._made(line, found)

    def _check(self, line: int, found: dict[str, Any]) -> None:
        """What no cell shows by itself."""
        if found["BilledCost"] is None and found["EffectiveCost"] is None:
            self.note(mistake(line, "BilledCost", "", _("It is empty: every row needs it.")))
        if not self._provider_of(found):
            remedy = _("The row names no provider: name it in the form, or with --provider.")
            self.note(mistake(line, "ServiceProviderName", "", remedy))
        if found["ChargePeriodEnd"] and found["ChargePeriodEnd"] < found["ChargePeriodStart"]:
            remedy = _("It lies before ChargePeriodStart.")
            self.note(mistake(line, "ChargePeriodEnd", f"{found['ChargePeriodEnd']:%Y-%m-%d %H:%M}", remedy))
        self._check_currency(line, found["BillingCurrency"])

    def _check_currency(self, line: int, currency: str | None) -> None:
        """Another currency is said once, not a hundred thousand times."""
        if currency is None or currency.upper() == settings.HEADROOM_CURRENCY or currency in self._currencies:
            return
        self._currencies.add(currency)
        remedy = _("Amounts are kept in %(ours)s (HEADROOM_CURRENCY) and never converted: export in it.")
        self.note(mistake(line, "BillingCurrency", currency, remedy % {"ours": settings.HEADROOM_CURRENCY}))

    def _provider_of(self, found: dict[str, Any]) -> str:
        return found["ServiceProviderName"] or found["ProviderName"] or self._provider

    def _made(self, line: int, found: dict[str, Any]) -> Charge:
        effective, billed = found["EffectiveCost"], found["BilledCost"]
        return Charge(
            line=line,
            provider=self._provider_of(found),
            month=cells_of.first_of_month(found["BillingPeriodStart"] or found["ChargePeriodStart"]),
            service=found["ServiceName"],
            category=found["ChargeCategory"],
            sub_account=found["SubAccountId"] or found["SubAccountName"] or "",
            tags=found["Tags"] or "{}",
            amount=billed if effective is None else effective,
            starts=found["ChargePeriodStart"],
            ends=found["ChargePeriodEnd"],
        )


def _name(longest: int) -> Callable[[str], str]:
    return partial(cells_of.name, longest=longest)


def _needed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda cell: cells_of.needed(read(cell))


# How the cells that are used are read; the lengths are those of the rows they are kept in.
_READ: dict[str, Callable[[str], Any]] = {
    "ChargePeriodStart": _needed(cells_of.moment),
    "ChargePeriodEnd": cells_of.moment,
    "BillingPeriodStart": cells_of.moment,
    "ChargeCategory": _needed(_name(60)),
    "BilledCost": cells_of.amount,
    "EffectiveCost": cells_of.amount,
    "BillingCurrency": _needed(_name(60)),
    "ServiceName": _needed(_name(200)),
    "ServiceProviderName": _name(60),
    "ProviderName": _name(60),
    "SubAccountId": _name(120),
    "SubAccountName": _name(120),
    "Tags": cells_of.tags,
}
