"""The names of everything kept in Redis; the tag in braces puts all of a tenant into one slot of a cluster."""

from __future__ import annotations

from binascii import crc_hqx
from datetime import UTC, datetime
from functools import lru_cache

TAGS = 64


@lru_cache(maxsize=10_000)
def tag(tenant_id: int) -> str:
    """The beginning of a tenant's keys: `hr:{NN}`, NN = its tag."""
    return f"hr:{{{tag_of(tenant_id):02}}}"


def tag_of(tenant_id: int) -> int:
    """CRC-16 of the tenant's id modulo 64."""
    return crc_hqx(str(tenant_id).encode(), 0) % TAGS


def all_dirty() -> list[str]:
    """The keys of all sorted sets of hours that wait to be flushed."""
    return [f"hr:{{{number:02}}}:dirty" for number in range(TAGS)]


def tenant(tenant_id: int) -> str:
    return f"{tag(tenant_id)}:tenant:{tenant_id}"


def account(tenant_id: int, period: object) -> str:
    return f"{tag(tenant_id)}:account:{tenant_id}:{period}"


def hour(tenant_id: int, name: str) -> str:
    return f"{tag(tenant_id)}:hour:{tenant_id}:{name}"


def dirty(tenant_id: int) -> str:
    return f"{tag(tenant_id)}:dirty"


def members(tenant_id: int, metric: str, period: object) -> str:
    return f"{tag(tenant_id)}:members:{tenant_id}:{metric}:{period}"


def newcomers(tenant_id: int) -> str:
    return f"{tag(tenant_id)}:newcomers:{tenant_id}"


def refusals(tenant_id: int) -> str:
    return f"{tag(tenant_id)}:refusals:{tenant_id}"


def caller(tenant_id: int, actor: str) -> str:
    return f"{tag(tenant_id)}:caller:{actor}"


def hour_name(at: datetime) -> str:
    """`2026112316` for the hour from 16:00 UTC on 23 November 2026."""
    return at.astimezone(UTC).strftime("%Y%m%d%H")


@lru_cache(maxsize=1_000)
def hour_of(name: str) -> datetime:
    """The hour's beginning, from its name."""
    return datetime.strptime(name, "%Y%m%d%H").replace(tzinfo=UTC)


def dirty_name(tenant_id: int, hour: str, period: object) -> str:
    """What stands in the dirty set: enough to know which hour and account to read."""
    return f"{tenant_id}:{hour}:{period}"
