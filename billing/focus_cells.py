"""Reads the cells of a FOCUS bill: amounts, times, names, tags. Each says what to write instead of a wrong one."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

# What providers' exports write for “no value”.
NOTHING = frozenset(("", "NULL", "null"))

PLACES = Decimal("1e-12")
# Less than this, so that sums of millions of amounts stay exact to twelve places.
MOST = Decimal(10) ** 15
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(?: ?(Z|UTC|[+-]\d\d:?\d\d))?)?", re.ASCII
)
YEARS = range(2000, 2100)


class BadCell(ValueError):
    """A cell can't be read; the text says what to write instead."""


def amount(cell: str) -> Decimal | None:
    """An amount of money to twelve places, half to even; also negative, also as 1.5E-7. None for nothing."""
    text = cell.strip()
    if text in NOTHING:
        return None
    if not NUMBER.fullmatch(text):
        raise BadCell(_("Write a number such as 1234.56, −0.07 or 1.5E-7, without signs for thousands."))
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent that no number has
        value = MOST
    if value.copy_abs() >= MOST:  # abs() would round, and can't for such exponents
        raise BadCell(_("That is more than any bill: amounts end at 10^15."))
    return EXACT.quantize(value, PLACES)


@lru_cache(maxsize=4096)
def moment(cell: str) -> datetime | None:
    """A time in UTC; without an offset it is UTC already. None for nothing."""
    text = cell.strip()
    if text in NOTHING:
        return None
    found = TIME.fullmatch(text)
    try:
        at = _at(*found.groups()) if found else None
    except (ValueError, OverflowError):  # no such day; a day before the first
        at = None
    if at is None or at.year not in YEARS:
        raise BadCell(_("Write a time such as 2026-11-01T00:00:00Z or 2026-11-01 00:00:00."))
    return at


def _at(day: str, clock: str | None, offset: str | None) -> datetime:
    """Raises ValueError where there is no such day or hour, OverflowError where UTC has none."""
    local = datetime.fromisoformat(f"{day}T{clock or '00:00'}")
    if offset in (None, "Z", "UTC"):
        return local.replace(tzinfo=UTC)
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    length = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    return local.replace(tzinfo=timezone(length)).astimezone(UTC)


@lru_cache(maxsize=4096)
def first_of_month(at: datetime) -> date:
    """The first day of the month of a time in UTC."""
    return date(at.year, at.month, 1)


def name(cell: str, longest: int) -> str:
    """A name without spaces around it; empty for nothing."""
    text = cell.strip()
    if len(text) > longest:
        raise BadCell(_("It has %(n)d characters: at most %(most)d.") % {"n": len(text), "most": longest})
    return "" if text in NOTHING else text


def needed(value: Any) -> Any:
    """The value of a cell that must have one."""
    if value is None or value == "":
        raise BadCell(_("It is empty: every row needs it."))
    return value


# Made once: `json.loads` and `json.dumps` would make one for each cell.
_READER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_WRITER = json.JSONEncoder(ensure_ascii=False)


@lru_cache(maxsize=256)  # few: a cell may be long
def tags(cell: str) -> str:
    """Tags as the text of a JSON object from text to text: numbers as written, true as “true”, null as nothing."""
    text = cell.strip()
    if text in NOTHING:
        return "{}"
    try:
        found = _READER.decode(text)
    except (ValueError, RecursionError):  # the latter: brackets in brackets, thousands deep
        found = None
    if not isinstance(found, dict):
        raise BadCell(_('Write tags as a JSON object, such as {"tenant": "northwind"}.'))
    plain = {key: _tag(value) for key, value in found.items()}
    written = _WRITER.encode(plain)
    if not _can_be_kept(plain, written):
        raise BadCell(_("A tag holds a character that is none (NUL, or half of one): take it out."))
    return written


def _tag(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)


def _can_be_kept(plain: dict[str, str], written: str) -> bool:
    """Whether PostgreSQL takes these texts: it knows no NUL and no half of a character."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    # JSON writes a NUL so; a backslash before a u is written so, too.
    is_suspect = "\\u0000" in written
    return not (is_suspect and any("\0" in text for pair in plain.items() for text in pair))
