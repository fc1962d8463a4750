"""Marks notices of the staff inbox as seen."""

from __future__ import annotations

from datetime import datetime

from tenants.models import User
from usage.models import Notice


def mark_seen(notice: int, *, person: User, at: datetime) -> bool:
    """Mark one notice (its id); False where there is none or somebody has seen it before."""
    return bool(Notice.objects.filter(pk=notice, seen_at=None).update(seen_at=at, seen_by=person))


def mark_all_seen(newest: int, *, person: User, at: datetime) -> int:
    """Mark all up to the id `newest`, what came later stays; returns how many nobody had seen."""
    return Notice.objects.filter(pk__lte=newest, seen_at=None).update(seen_at=at, seen_by=person)
