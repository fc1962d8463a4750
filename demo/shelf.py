"""Puts files on a demo tenant's shelf whose sizes sum to the storage its history tells of."""

from __future__ import annotations

from datetime import datetime, timedelta

from demo.models import DemoFile
from demo.rhythm import dice, spread
from tenants.models import Tenant

FILES = 9


def fill_shelf(tenant: Tenant, stored: int, at: datetime) -> None:
    """Make files of `stored` bytes in all, once; so that deleting one frees what it says."""
    if not stored or DemoFile.objects.of(tenant).exists():
        return
    chance = dice(tenant.slug, "shelf")
    sizes = spread(stored, [chance.randint(40, 160) for _ in range(FILES)])
    weeks = (at - timedelta(weeks=number) for number in range(FILES))
    DemoFile.objects.bulk_create(
        DemoFile(
            tenant=tenant,
            name=f"export-{week:%G-W%V}.parquet",
            size=size,
            sha256=f"{chance.getrandbits(256):064x}",
        )
        for week, size in zip(weeks, sizes, strict=True)
    )
