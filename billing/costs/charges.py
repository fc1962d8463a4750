"""What a month's bills hold, added up as far as rules can tell one charge from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

# One statement, so that an import beside it is seen with all its rows or not at all. A bill without rows has one
# without a service.
CHARGES = """
SELECT b.id, b.provider, r.service, r.category, r.sub_account,
       ARRAY(SELECT r.tags ->> key FROM unnest(%s::text[]) WITH ORDINALITY AS k (key, n) ORDER BY n),
       sum(r.amount)
FROM billing_costbill b LEFT JOIN billing_costrow r ON r.bill_id = b.id
WHERE b.is_current AND b.month = %s
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 2, 3, 4, 5, 6
"""


class Charged(NamedTuple):
    """The sum of charges that are alike; `tags` has those that were asked for and are there."""

    provider: str
    service: str
    category: str
    sub_account: str
    tags: dict[str, str]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Charges:
    """All charges of a month, and the ids of the bills they stand on."""

    bills: tuple[int, ...]
    rows: tuple[Charged, ...]


def charges(month: date, tags: Sequence[str]) -> Charges:
    """What the current bills of `month` hold, parted by the values of `tags`; one query."""
    bills: set[int] = set()
    rows = []
    with connection.cursor() as cursor:
        cursor.execute(CHARGES, [list(tags), month])
        for bill, provider, service, category, sub_account, values, amount in cursor:
            bills.add(bill)
            if service is not None:
                known = {key: value for key, value in zip(tags, values, strict=True) if value is not None}
                rows.append(Charged(provider, service, category, sub_account, known, amount))
    return Charges(tuple(sorted(bills)), tuple(rows))
