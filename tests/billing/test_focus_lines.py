"""Files of bills: plain and gzip, cut off and damaged, of another kind, endless, and larger than they look."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterator

import pytest

from billing import focus_lines
from billing.focus import Reading, Refused
from billing.focus_lines import LONGEST_ROW, MB, unpacked
from tests.billing.focus_files import bill, mistakes, named, packed, read, small


class TestFiles:
    @pytest.mark.parametrize("pack", [bytes, packed])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_are_read_as_tools_write_them(self, pack: object, mark: bytes, end: bytes) -> None:
        plain = mark + bill({"ServiceName": "Übertragung"}).replace(b"\r\n", end)
        (charge,), reading = read(pack(plain))  # type: ignore[operator]
        assert charge.service == "Übertragung"
        assert reading.sha256 == hashlib.sha256(plain).hexdigest()

    def test_may_be_several_gzips_in_a_row(self) -> None:
        head, row = bill().splitlines(keepends=True)
        assert len(read(packed(head) + packed(row) + packed(row))[0]) == 2

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"", "The file is empty"),
            (packed(b""), "The file is empty"),
            (b"\n\n", "The file is empty"),
            (small().splitlines()[0], "There is no row below the header"),
            (b"<!doctype html>\n<p>Sign in", "missing: the first line names the columns"),
            (b'{"a": 1}', "missing: the first line names the columns"),
            (b"PK\x03\x04xl/workbook", "looks like Excel or zip"),
            (packed(b"PAR1\x15\x04"), "looks like Parquet"),
            (bill().decode().encode("utf-16"), "looks like UTF-16"),
            (packed(packed(bill())), "looks like gzip in gzip"),
            (bill({"ServiceName": "Ü"}).decode().encode("latin-1"), "is not UTF-8"),
            (bill({"ServiceName": "a\0b"}), "a NUL byte"),
            (b"\x93NUMPY\x01\x00", "a NUL byte"),
            (packed(bill(*[{}] * 900))[:-70], "it was cut off on its way"),
            (packed(bill())[:-4], "it was cut off on its way"),
            (packed(bill())[:40] + b"spoilt" + packed(bill())[46:], "is damaged"),
            (packed(bill())[:-8] + bytes(8), "is damaged"),
            (packed(bill()) + b"garbage", "is damaged"),
            (bill() + b'2026,"never closed', "close each quotation mark"),
            (bill() + b'2026,"closed"again,', "close each quotation mark"),
            (bill().replace(b"\r\n", b"\r"), "close each quotation mark"),
            (bill() + b'"' + b"x" * 200_000 + b'"', "field larger than field limit"),
        ],
        ids=named,
    )
    def test_that_are_none_say_what_they_are(self, content: bytes, found: str) -> None:
        charges, reading = read(content)
        assert found in str(reading.mistakes[0])
        assert len(charges) <= 900
        with pytest.raises(Refused):
            reading.check()

    def test_of_one_endless_line_take_no_memory(self) -> None:
        file = Endless(b"x" * 65_536)
        reading = Reading(file)
        assert list(reading) == []
        assert "longer than 1 MB" in str(reading.mistakes[0])
        assert file.given < 2 * LONGEST_ROW

    def test_of_one_endless_row_take_no_memory(self) -> None:
        file = Endless(b'"a\nb",' * 1000, head=small().splitlines(keepends=True)[0])
        reading = Reading(file)
        assert list(reading) == []
        assert "line 2" in str(reading.mistakes[0]) or "longer than 1 MB" in str(reading.mistakes[0])
        assert file.given < 2 * LONGEST_ROW

    def test_that_unpack_to_too_much_are_refused(self) -> None:
        bomb = packed(small(*[{"ServiceName": "x" * 200}] * 13_000))
        assert len(bomb) < 20_000
        (found,) = mistakes(bomb, most=2 * MB)
        assert "more than 2 MB" in found
        assert mistakes(bomb, most=None) == []

    def test_of_nothing_but_ends_of_lines_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(focus_lines, "MOST_LINES", 1_000)
        (found,) = mistakes(small() + b"\n" * 2_000)
        assert "line 1001, file" in found


class Endless:
    """A file that never ends; `given` counts its bytes."""

    def __init__(self, piece: bytes, head: bytes = b"") -> None:
        self.given = 0
        self._pieces = self._make(piece, head)
        self._rest = b""

    def readline(self, size: int, /) -> bytes:
        while b"\n" not in self._rest and len(self._rest) < size:
            self._rest += next(self._pieces)
        end = self._rest.find(b"\n") + 1 or size
        line, self._rest = self._rest[: min(end, size)], self._rest[min(end, size) :]
        self.given += len(line)
        return line

    @staticmethod
    def _make(piece: bytes, head: bytes) -> Iterator[bytes]:
        yield head
        while True:
            yield piece


def test_gzip_is_known_by_its_first_bytes_wherever_the_file_stands() -> None:
    file = io.BytesIO(gzip.compress(bill()))
    file.read()
    assert len(list(Reading(unpacked(file)))) == 1
