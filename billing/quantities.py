"""Amounts as operations write and read them (“5 GB”, “50,000”), kept as whole base units."""

from __future__ import annotations

import re
from decimal import Decimal

from billing.models import MAX_QUANTITY, Metric

SIZES = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}

# Thousands may be set apart, in threes: so that “1,5 GB” is asked about and never read as 15 GB.
WRITTEN = re.compile(
    r"(?P<number>\d{1,3}(?:[,_ \u00a0\u202f]\d{3})+|\d+)(?P<part>\.\d+)?\s*(?P<size>[kmgt]b)?", re.IGNORECASE
)


class NotAQuantity(ValueError):
    """A text that is no whole number of base units; the message names it and shows how to write one."""


def parsed(text: str) -> int:
    """The base units that `text` names. Raises NotAQuantity."""
    found = WRITTEN.fullmatch(text.strip())
    if found is None:
        raise NotAQuantity(
            f"“{text}” is no amount: write 5000000000, 5,000,000,000 or 5 GB (1 MB is 1,000,000 bytes)."
        )
    digits = re.sub(r"\D", "", found["number"])
    units = Decimal(digits + (found["part"] or "")) * SIZES.get((found["size"] or "").lower(), 1)
    if units != int(units):
        raise NotAQuantity(f"“{text}” is no whole number of base units: leave out the fraction.")
    if units > MAX_QUANTITY:
        raise NotAQuantity(f"“{text}” is more than {MAX_QUANTITY:,}, the most that is counted exactly.")
    return int(units)


def is_size(text: str) -> bool:
    """Whether `text` is written in MB, GB or the like."""
    found = WRITTEN.fullmatch(text.strip())
    return bool(found and found["size"])


def spelled(units: int | None, metric: Metric) -> str:
    """`units` as people read them: “50,000”, “5,000 MB”, “unlimited”; exact, never rounded."""
    if units is None:
        return "unlimited"
    if metric.unit == Metric.Unit.BYTES:
        for size, name in ((10**6, "MB"), (10**3, "kB")):
            if units and units % size == 0:
                return f"{units // size:,} {name}"
        return f"{units:,} bytes"
    return f"{units:,}"
