"""The time a metric's page looks at: a period, the last hours or days, or days of one's own; all UTC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.periods import Period
from usage.reports import dates
from usage.reports.slots import DAY, HOUR, Slot, days_between, hours_between

PERIOD, PREVIOUS, CUSTOM = "period", "previous", "custom"
HOURS = 24  # whole ones, and the one that runs
LAST_DAYS = {"7d": 7, "30d": 30, "90d": 90}
NAMES = {
    PERIOD: gettext_lazy("This period"),
    PREVIOUS: gettext_lazy("Previous"),
    "24h": gettext_lazy("24 h"),
    "7d": gettext_lazy("7 d"),
    "30d": gettext_lazy("30 d"),
    "90d": gettext_lazy("90 d"),
}
MOST_DAYS = 400  # in a window of one's own
SHORT = timedelta(hours=48)  # what is longer is shown by days
TOTAL, LABELS = "total", "labels"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is asked for: a window, its bars solid or by label, one label alone (None: all of them).

    `first` and `last` are the days of a window of one's own.
    """

    range: str = PERIOD
    first: date | None = None
    last: date | None = None
    view: str = LABELS
    label: str | None = None

    def address(self, **changes: object) -> str:
        """The query string of this page with changes; a window of one's own keeps its days, others have none."""
        new = replace(self, **changes)  # type: ignore[arg-type]  # each is what its field takes
        is_own = new.range == CUSTOM
        values = {
            "range": new.range,
            "from": new.first.isoformat() if is_own and new.first else None,
            "until": new.last.isoformat() if is_own and new.last else None,
            "view": None if new.view == LABELS else new.view,
            "label": new.label,
        }
        return f"?{urlencode({name: value for name, value in values.items() if value is not None})}"


@dataclass(frozen=True, slots=True)
class Window:
    """The slots of a time; `period` where they are one of the tenant's."""

    code: str
    slots: tuple[Slot, ...]
    period: Period | None = None

    @property
    def starts(self) -> datetime:
        return self.slots[0].starts

    @property
    def ends(self) -> datetime:
        return self.slots[-1].ends

    @property
    def first(self) -> date:
        return self.slots[0].on

    @property
    def last(self) -> date:
        return self.slots[-1].on

    @property
    def is_hourly(self) -> bool:
        return self.slots[0].is_hour

    @property
    def is_current(self) -> bool:
        """Whether it is the period that runs."""
        return self.code == PERIOD

    @property
    def text(self) -> str:
        """“1–30 Nov 2026”, “22 Nov 14:00 – 23 Nov 15:00”."""
        if not self.is_hourly:
            return dates.days(self.first, self.last)
        begin, end = (f"{dates.short(at.date())} {at:%H:%M}" for at in (self.starts, self.ends))
        return f"{begin} – {end}"

    @property
    def described(self) -> str:
        """“1–30 Nov 2026, UTC days”."""
        text = _("%(window)s, UTC hours") if self.is_hourly else _("%(window)s, UTC days")
        return text % {"window": self.text}


def window_of(period: Period, before: Period, asked: Asked, at: datetime) -> Window:
    """The window that is asked for; what is unknown shows the period that runs."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if asked.range == "24h":
        return Window("24h", hours_between(hour - HOURS * HOUR, hour + HOUR))
    if asked.range in LAST_DAYS:
        tomorrow = hour.date() + DAY
        return Window(asked.range, days_between(tomorrow - LAST_DAYS[asked.range] * DAY, tomorrow))
    if asked.range == PREVIOUS:
        return Window(PREVIOUS, days_between(before.first, before.until), before)
    if asked.range == CUSTOM and asked.first and asked.last:
        return _own(asked.first, asked.last, at)
    return Window(PERIOD, days_between(period.first, period.until), period)


def _own(first: date, last: date, at: datetime) -> Window:
    """A day or two by the hour where their hours are sure to be kept, else days."""
    slots = days_between(first, last + DAY)
    starts, ends = slots[0].starts, slots[-1].ends
    if ends - starts <= SHORT and starts > at - settings.HEADROOM_KEEP_HOURS:
        slots = hours_between(starts, ends)
    return Window(CUSTOM, slots)
