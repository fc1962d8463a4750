"""What PostgreSQL has kept of a round's tenants: units by book and period, and their alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from tests.chaos.parties import Party

# A level has no period.
UNITS = """
SELECT tenant_id, code, period, sum(used) FROM usage_usageperiod JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) AND kind <> 'level' GROUP BY 1, 2, 3
UNION ALL
SELECT tenant_id, code, NULL, sum(added - removed) FROM usage_usagelevel JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) GROUP BY 1, 2
UNION ALL
SELECT tenant_id, code || ' by hours', date_trunc('month', hour AT TIME ZONE 'UTC')::date, sum(quantity)
FROM usage_usagehour JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) AND code = 'api_calls' GROUP BY 1, 2, 3
UNION ALL
SELECT tenant_id, code || ' by name', period, count(DISTINCT member) FROM usage_usagemember
JOIN billing_metric m ON m.id = metric_id WHERE tenant_id = ANY (%(ids)s) GROUP BY 1, 2, 3
"""
ALERTS = """
SELECT tenant_id, a.kind || ' ' || percent, period FROM usage_alert a JOIN billing_metric m ON m.id = metric_id
WHERE tenant_id = ANY (%(ids)s) AND code = 'api_calls'
"""


@dataclass(frozen=True, slots=True)
class Ledger:
    """`units` by tenant, book and period; `alerts` by tenant, kind and period: how many rows."""

    units: Mapping[tuple[int, str, date | None], int]
    alerts: Mapping[tuple[int, str, date], int]

    def of(self, party: Party, book: str) -> Mapping[date | None, int]:
        """Units of one book by period, earliest first."""
        found = {key[2]: units for key, units in self.units.items() if key[:2] == (party.id, book)}
        return dict(sorted(found.items(), key=str))


def read(books: psycopg.Connection[Any], parties: Sequence[Party]) -> Ledger:
    """All that is kept of them."""
    ids = {"ids": [party.id for party in parties]}
    units = {tuple(row[:3]): int(row[3]) for row in books.execute(UNITS, ids)}
    return Ledger(units, Counter(tuple(row) for row in books.execute(ALERTS, ids)))
