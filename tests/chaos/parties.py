"""Who the load calls for: tenants as a program outside knows them."""

from __future__ import annotations

from typing import NamedTuple

SIZE = 3  # tenants of one round: one that reaches its limit, and others that never do
LIMIT = 40  # API calls


class Party(NamedTuple):
    """One tenant: its id, its key, the session of its owner; `limit` is where its API calls stop, none = never."""

    id: int
    slug: str
    key: str
    session: str
    limit: int | None
