"""Numbers of statements and adjustments: one after the other in each month, none left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from django.db import connection

# In the order of the months, so that two who number documents of several can't wait for each other.
TAKE = """
INSERT INTO billing_statementmonth AS t (month, last)
SELECT * FROM unnest(%s::date[], %s::int[]) ORDER BY 1
ON CONFLICT (month) DO UPDATE SET last = t.last + excluded.last
RETURNING month, last
"""


def numbers(firsts: Sequence[date]) -> list[str]:
    """A number for each document, by the first day of its period: “HR-2026-10-0412”.

    Call it last in the transaction that writes them: until that ends nobody else gets one of these months, and where
    it is undone the numbers are free again.
    """
    wanted = Counter(first.replace(day=1) for first in firsts)
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [list(wanted), list(wanted.values())])
        last = {month: end - wanted[month] for month, end in cursor.fetchall()}
    found = []
    for month in (first.replace(day=1) for first in firsts):
        last[month] += 1
        found.append(f"HR-{month:%Y-%m}-{last[month]:04}")
    return found
