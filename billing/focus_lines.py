"""Reads a bill's bytes as lines: plain or gzip, within bounds, and says what a file is that is no such thing."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from django.utils.translation import gettext as _

from billing.import_rows import Mistake

MB = 10**6
MOST_UNPACKED = 1_000 * MB  # a gzip of a few kilobytes may unpack to terabytes
MOST_LINES = 4_000_000  # or to nothing but ends of lines
LONGEST_ROW = MB
LONGEST_VALUE = 60  # of what a mistake shows

GZIP = b"\x1f\x8b"
OTHERS = {
    b"PK": "Excel or zip",
    b"PAR1": "Parquet",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"%PDF": "PDF",
    GZIP: "gzip in gzip",
}


class Unpacked(Protocol):
    """What lines are read from."""

    def readline(self, size: int, /) -> bytes: ...


class Fault(Exception):
    """The file can't be read any further."""

    def __init__(self, line: int, column: str, value: str, remedy: str) -> None:
        self.mistake = mistake(line, column, value, remedy)
        super().__init__(str(self.mistake))


def mistake(line: int, column: str, value: str, remedy: str) -> Mistake:
    """A mistake whose value fits into a sentence and can be printed anywhere."""
    shown = value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
    return Mistake(line, column, printable(shown), remedy)


def printable(text: str) -> str:
    """A stranger's text as a terminal may see it: without what would steer it."""
    return "".join(one if one.isprintable() else "�" for one in text)


def unpacked(file: BinaryIO) -> Unpacked:
    """The bytes of a file from its beginning, unpacked where it is gzip: its first bytes say so, not its name."""
    file.seek(0)
    head = file.read(len(GZIP))
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if head == GZIP else file


class Lines:
    """The lines of a file as text: counted, hashed, bounded. Raises Fault where the file can't be read."""

    def __init__(self, file: Unpacked, most: int | None = MOST_UNPACKED) -> None:
        self.number = 0
        self._file = file
        self._most = most
        self._size = 0
        self._row_size = 0
        self._hash = hashlib.sha256()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._read()
        if not raw:
            raise StopIteration
        self.number += 1
        self._size += len(raw)
        self._row_size += len(raw)
        self._check(raw)
        self._hash.update(raw)
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            remedy = _("Byte %(byte)d of the line is not UTF-8: save the file as CSV UTF-8.")
            raise Fault(self.number, _("text"), "", remedy % {"byte": error.start + 1}) from error

    @property
    def sha256(self) -> str:
        """Of all that was read."""
        return self._hash.hexdigest()

    def begin_row(self) -> None:
        """What comes belongs to another row than what came."""
        self._row_size = 0

    def _read(self) -> bytes:
        try:
            # One byte more than a row may have, so that a line without an end fills no memory.
            return self._file.readline(LONGEST_ROW + 1)
        except EOFError as error:
            remedy = _("The gzip file ends in the middle: it was cut off on its way. Fetch it again.")
            raise Fault(self.number + 1, _("file"), "", remedy) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            remedy = _("The gzip file is damaged: fetch it again.")
            raise Fault(self.number + 1, _("file"), "", remedy) from error

    def _check(self, raw: bytes) -> None:
        if self.number == 1:
            self._check_kind(raw)
        if b"\0" in raw:
            remedy = _("The line holds a NUL byte, as no text does: export the bill as CSV UTF-8.")
            raise Fault(self.number, _("text"), "", remedy)
        if self._row_size > LONGEST_ROW:
            remedy = _("The row is longer than 1 MB: is a quotation mark never closed, or is this no CSV?")
            raise Fault(self.number, _("row"), raw[:LONGEST_VALUE].decode(errors="replace"), remedy)
        if self._most is not None and (self._size > self._most or self.number > MOST_LINES):
            remedy = _("The file has more than %(most)d MB or %(lines)s lines unpacked: import it in parts.")
            values = {"most": self._most // MB, "lines": f"{MOST_LINES:,}"}
            raise Fault(self.number, _("file"), "", remedy % values)

    def _check_kind(self, raw: bytes) -> None:
        for head, kind in OTHERS.items():
            if raw.startswith(head):
                remedy = _("This looks like %(kind)s: export the bill as CSV UTF-8, plain or gzip.")
                raise Fault(1, _("file"), "", remedy % {"kind": kind})
