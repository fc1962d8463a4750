"""The port of the web server, a number, and nobody else's; and which programs run beside it."""

import socket
from pathlib import Path

import pytest

from config.serve import PortError, background, free_port


class TestFreePort:
    def test_returns_a_port_that_nobody_has(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert free_port("127.0.0.1", str(port)) == port

    def test_refuses_a_port_on_which_somebody_listens_even_one_that_would_share(self) -> None:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            with pytest.raises(
                PortError, match=r"can't be had \(Address already in use\): choose another with PORT="
            ):
                free_port("127.0.0.1", str(other.getsockname()[1]))

    @pytest.mark.parametrize("port", ["", "web", "0", "65536", "-1", "80.5"])
    def test_refuses_what_is_no_port(self, port: str) -> None:
        with pytest.raises(PortError, match="use a number from 1 to 65535"):
            free_port("127.0.0.1", port)


class TestBackground:
    def test_has_one_flusher_or_as_many_as_are_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert [name for name in background(Path("schedule")) if name.startswith("flusher")] == ["flusher"]
        monkeypatch.setenv("HEADROOM_FLUSHERS", "3")
        found = [command for name, command in background(Path("schedule")).items() if "flusher" in name]
        assert [command[command.index("-n") + 1] for command in found] == [
            "flusher@%h",
            "flusher2@%h",
            "flusher3@%h",
        ]
