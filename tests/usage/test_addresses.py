"""Which addresses a stranger may have us call."""

from __future__ import annotations

import time

import pytest

from usage.alerts.addresses import NotFound, is_open, parsed, resolve

CLOSED = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "192.0.2.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::", "2001:0:808:808::1", "100::1",
]  # fmt: skip
OPEN = [
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700::1111",
    "2a00:1450::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", CLOSED)
def test_refuses_what_is_not_global(address: str) -> None:
    assert not is_open(parsed(address))


@pytest.mark.parametrize("address", OPEN)
def test_allows_what_is_global(address: str) -> None:
    assert is_open(parsed(address))


class TestResolve:
    def test_finds_each_address_once(self) -> None:
        assert "127.0.0.1" in resolve("localhost", 80, 5)
        assert resolve("127.0.0.1", 80, 5) == ["127.0.0.1"]

    @pytest.mark.parametrize("written", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
    def test_reads_numbers_as_the_system_does(self, written: str) -> None:
        assert resolve(written, 80, 5) == ["127.0.0.1"]

    @pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".example"])
    def test_says_which_name_is_none(self, name: str) -> None:
        with pytest.raises(NotFound, match="can't be looked up"):
            resolve(name, 80, 5)

    def test_waits_no_longer_than_it_may(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def slow(*args: object, **options: object) -> list[object]:
            time.sleep(3)
            return []

        monkeypatch.setattr("socket.getaddrinfo", slow)
        begun = time.monotonic()
        with pytest.raises(NotFound, match="not looked up within"):
            resolve("slow.example", 80, 0.1)
        assert time.monotonic() - begun < 2
