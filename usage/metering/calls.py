"""Calls of consume.lua as they go over the wire: what many of them have in common is packed once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from billing.periods import Period, period_at
from tenants.models import Tenant
from usage.metering import keys
from usage.metering.charges import Packed
from usage.metering.links import Link
from usage.metering.scripts import Script
from usage.metering.sockets import bulks

PLACES = 5_000  # remembered: tenants of this process in an hour
SHAPES = 20  # remembered of each
FIXED, WIDTH = 18, 5  # parts of a call, keys and values, and of each charge


class Shape(NamedTuple):
    """What is the same in each call of the same charges in the same place: what comes before and behind the rest."""

    front: bytes
    back: bytes


class Place(NamedTuple):
    """Where the calls of a tenant count during an hour; `names` and `hour` are packed, `caller` lacks the actor."""

    tenant_id: int
    period: Period
    names: bytes
    hour: bytes
    caller: str
    shapes: dict[Any, Shape]


def place_at(tenant: Tenant, at: datetime) -> Place:
    """Where a call of `tenant` counts at `at`."""
    hours = int(at.timestamp()) // 3600
    key: tuple[Any, ...] = (tenant.id, hours, tenant.anchor_day)
    if tenant.anchor_since or tenant.anchor_past:
        key += (tenant.anchor_since, tenant.anchor_before, str(tenant.anchor_past))
    place = _places.get(key)
    if place is None:
        if len(_places) >= PLACES:
            _places.clear()
        place = _places[key] = _place(tenant.id, period_at(tenant, at), at, hours)
    return place


def call(
    script: Script,
    place: Place,
    packed: Sequence[Packed],
    link: Link,
    is_forced: bool,
    request_id: str,
    is_kept: bool,
) -> bytes:
    """One EVALSHA of consume.lua: the link's running call. What changes from call to call stands between the shape."""
    key = script.sha, is_forced, *[one.wire for one in packed]
    front, back = place.shapes.get(key) or _shape(script, place, packed, is_forced, key)
    number = b"$16\r\n%016d" % link.number if is_kept else b"$1\r\n0"
    request, age = request_id.encode(), b"%d" % link.age
    parts = front, link.stamp(place.caller), number, len(request), request, len(age), age, back
    return b"%b%b%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n%b" % parts


def _place(tenant_id: int, period: Period, at: datetime, hours: int) -> Place:
    name = keys.hour_name(at)
    names = (
        keys.tenant(tenant_id),
        keys.account(tenant_id, period),
        keys.hour(tenant_id, name),
        keys.dirty(tenant_id),
        keys.refusals(tenant_id),
        keys.newcomers(tenant_id),
    )
    hour = bulks(hours, str(period), keys.dirty_name(tenant_id, name, period))
    return Place(tenant_id, period, bulks(*names), hour, keys.caller(tenant_id, ""), {})


def _shape(script: Script, place: Place, packed: Sequence[Packed], is_forced: bool, key: object) -> Shape:
    sets = [keys.members(place.tenant_id, one.metric.code, place.period) for one in packed if one.op == "d"]
    parts = FIXED + len(sets) + WIDTH * len(packed)
    head = b"*%d\r\n" % parts + bulks(b"EVALSHA", script.sha, 7 + len(sets))
    shape = Shape(
        head + place.names + (bulks(*sets) if sets else b""),
        bulks(1 if is_forced else 0) + place.hour + b"".join([one.wire for one in packed]),
    )
    if len(place.shapes) >= SHAPES:
        place.shapes.clear()
    place.shapes[key] = shape
    return shape


_places: dict[tuple[Any, ...], Place] = {}
