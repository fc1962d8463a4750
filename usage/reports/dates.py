"""Days and lengths of time in the short words of the pages: “27 Nov”, “1–30 Nov 2026”, “7 d 10 h”."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils.dateformat import format as written
from django.utils.timezone import get_current_timezone_name, localtime
from django.utils.translation import gettext as _


def short(on: date) -> str:
    """“27 Nov”."""
    return written(on, "j M")


def moment(at: datetime) -> str:
    """“23 Nov 14:02”, in the reader's time zone."""
    at = localtime(at)
    return f"{short(at.date())} {at:%H:%M}"


def weekday(on: date) -> str:
    """“Fri 27 Nov”."""
    return written(on, "D j M")


def days(first: date, last: date) -> str:
    """“1–30 Nov 2026”; over a month's end “15 Oct – 14 Nov 2026”; over a year's both years."""
    if first == last:
        return written(first, "j M Y")
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{written(last, 'j M Y')}"
    begin = written(first, "j M") if first.year == last.year else written(first, "j M Y")
    return f"{begin} – {written(last, 'j M Y')}"


def countdown(length: timedelta) -> str:
    """The two largest of days, hours, minutes: “7 d 10 h”, “2 h 5 min”, “under a minute”."""
    minutes = max(0, int(length.total_seconds())) // 60
    day, hour, minute = minutes // 1440, minutes // 60 % 24, minutes % 60
    if day:
        return _("%(days)d d %(hours)d h") % {"days": day, "hours": hour}
    if hour:
        return _("%(hours)d h %(minutes)d min") % {"hours": hour, "minutes": minute}
    return _("%(minutes)d min") % {"minutes": minute} if minute else _("under a minute")


def when(then: datetime, now: datetime) -> str:
    """“Today 06:02”, “22 Nov 21:48”, of another year “22 Nov 2025 21:48”; in the reader's time zone."""
    then, now = localtime(then), localtime(now)
    if then.date() == now.date():
        return _("Today %(time)s") % {"time": f"{then:%H:%M}"}
    return moment(then) if then.year == now.year else f"{day(then)} {then:%H:%M}"


def day(then: datetime) -> str:
    """“22 Nov 2026”; in the reader's time zone."""
    return written(localtime(then).date(), "j M Y")


def clock(then: datetime) -> str:
    """“14:02:10 UTC”; in the reader's time zone, and its name then."""
    return f"{localtime(then):%H:%M:%S} {zone_at(then)}"


def minute(then: datetime) -> str:
    """“14:02 UTC”; in the reader's time zone, and its name then."""
    return f"{localtime(then):%H:%M} {zone_at(then)}"


def zone_at(then: datetime) -> str:
    """“UTC”, “CEST”; zones that have no short name are known by their distance: “UTC+03”."""
    name = localtime(then).tzname() or ""
    return f"UTC{name}" if name[:1] in ("+", "-") else name


def zone() -> str:
    """The name of the reader's time zone: “UTC”, “Europe/Berlin”."""
    return get_current_timezone_name()
