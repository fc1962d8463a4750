"""Keeps a file between its preview and the yes: in PostgreSQL, compressed, in pieces, for a day."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import BinaryIO
from uuid import UUID

from django.db import transaction

from billing.costs.bills import import_bill
from billing.costs.summary import Summary, as_json, summarise
from billing.focus import Reading
from billing.focus_lines import GZIP, Unpacked
from billing.focus_lines import unpacked as unpacked_file
from billing.models import CostBill, PendingImport, PendingPart
from tenants.models import User

WAITS = timedelta(days=1)
READ = 1 << 16
PART = 1 << 18


def receive(file: BinaryIO, *, name: str, provider: str, author: User, at: datetime) -> PendingImport:
    """Read a file and keep it for its preview; raises Refused where it has mistakes, and keeps nothing then.

    `provider` is whose bill it is where its rows do not say so.
    """
    summary = summarise(Reading(unpacked_file(file), provider=provider))
    sweep(at)
    return keep(file, name=name, provider=provider, summary=summary, author=author, at=at)


@transaction.atomic
def confirm(key: UUID, *, author: User, at: datetime) -> list[CostBill]:
    """Import a kept file, which then is gone; raises DoesNotExist where somebody else was quicker, and Refused."""
    pending = PendingImport.objects.select_for_update().get(pk=key)
    reading = Reading(unpacked(pending), provider=pending.provider)
    bills = import_bill(reading, source=pending.name, author=author, at=at)
    pending.delete()
    return bills


@transaction.atomic
def keep(
    file: BinaryIO, *, name: str, provider: str, summary: Summary, author: User, at: datetime
) -> PendingImport:
    """Keep a file that was read without a mistake until somebody says yes, or a day has passed."""
    pending = PendingImport.objects.create(
        name=name[:200],
        provider=provider,
        sha256=summary.sha256,
        summary=as_json(summary),
        author=author,
        made_at=at,
    )
    for number, data in enumerate(_parts(_compressed(file))):
        PendingPart.objects.create(pending=pending, number=number, data=data)
    return pending


def unpacked(pending: PendingImport) -> Unpacked:
    """The bytes of a kept file, unpacked, a piece at a time."""
    return gzip.GzipFile(fileobj=io.BufferedReader(_Parts(pending), PART))


def sweep(at: datetime) -> int:
    """Let files go that nobody said yes to within a day; returns how many."""
    gone = PendingImport.objects.made_before(at - WAITS)
    return gone.delete()[1].get("billing.PendingImport", 0)


class _Parts(io.RawIOBase):
    """A kept file as a stream of bytes; one piece is in memory."""

    def __init__(self, pending: PendingImport) -> None:
        super().__init__()
        self._pending, self._number, self._rest = pending, 0, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer
        if not self._rest:
            part = PendingPart.objects.filter(pending=self._pending, number=self._number).first()
            self._number += 1
            self._rest = bytes(part.data) if part else b""
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _compressed(file: BinaryIO) -> Iterator[bytes]:
    """The file as gzip, which it may be already."""
    file.seek(0)
    is_gzip = file.read(len(GZIP)) == GZIP
    file.seek(0)
    packer = zlib.compressobj(wbits=31)
    while data := file.read(READ):
        yield data if is_gzip else packer.compress(data)
    if not is_gzip:
        yield packer.flush()


def _parts(data: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of PART; the last may be smaller."""
    held = bytearray()
    for piece in data:
        held += piece
        while len(held) >= PART:
            yield bytes(held[:PART])
            del held[:PART]
    if held:
        yield bytes(held)
