"""Calls to addresses that strangers chose, against real receivers on the loopback."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trustme
from pytest_django import Settings

from tests.usage.mailserver import MailServer, free_port
from tests.usage.receivers import HOST, Receiver, Reply
from usage.alerts.safe_http import Forbidden, NoAnswer, checked, post

BODY = b'{"a": 1}'


@pytest.fixture(autouse=True)
def _private(settings: Settings) -> None:
    settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts, and no other."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


def certificate(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def leads_to(*addresses: str) -> Callable[[str, int, float], Sequence[str]]:
    """A resolver that knows one answer."""
    return lambda host, port, timeout: list(addresses)


class TestAddress:
    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example/", "ftp://hooks.example/", "//hooks.example/", "https://", "https:///path",
            "https://user:pass@hooks.example/", "https://user@hooks.example/", "https://hooks.example/#part",
            "https://hooks.example/a b", "https://hooks.example/\r\nHost: x", "https://hööks.example/",
            "https://hooks.example:99999/", "https://hooks.example:0/", "https://[::1", "https://h/" + "x" * 500,
        ],
    )  # fmt: skip
    def test_is_https_and_plain(self, url: str, settings: Settings) -> None:
        settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = False
        with pytest.raises(Forbidden):
            checked(url)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
    def test_that_is_private_gets_nothing(self, host: str, settings: Settings) -> None:
        settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = False
        with Receiver() as receiver:
            with pytest.raises(Forbidden, match="private address"):
                post(f"https://{host}:{receiver.port}/", BODY, {})
            assert receiver.calls == []

    def test_of_a_name_that_leads_to_a_private_one_gets_nothing(self, settings: Settings) -> None:
        settings.HEADROOM_WEBHOOK_ALLOW_PRIVATE = False
        with socket.create_server((HOST, 0)) as trap:
            trap.setblocking(False)
            url = f"https://rebound.example:{trap.getsockname()[1]}/"
            with pytest.raises(Forbidden, match=r"rebound.example leads to a private address \(127.0.0.1\)"):
                post(url, BODY, {}, look_up=leads_to(HOST))
            with pytest.raises(BlockingIOError):
                trap.accept()

    def test_is_called_as_it_was_checked(self, authority: trustme.CA) -> None:
        """The name is asked for once; what it leads to a moment later changes nothing."""
        answers = [[HOST], ["192.0.2.1"]]
        with Receiver(certificate=certificate(authority, "hooks.example")) as receiver:
            answer = post(receiver.url(host="hooks.example"), BODY, {}, look_up=lambda *asked: answers.pop(0))
        assert (answer.status, len(answers)) == (200, 1)
        assert receiver.calls[0].headers["host"] == f"hooks.example:{receiver.port}"


class TestAnswer:
    def test_is_whatever_was_said(self) -> None:
        with Receiver(Reply(503, "later", {"Retry-After": "7"})) as receiver:
            answer = post(receiver.url("/a?b=c"), BODY, {"X-One": "1"})
        assert (answer.status, answer.reason, answer.retry_after, answer.text) == (503, "Said", "7", "later")
        (call,) = receiver.calls
        assert (call.path, call.body, call.headers["x-one"]) == ("/a?b=c", BODY, "1")
        assert call.headers["content-length"] == str(len(BODY))

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_sends_elsewhere_is_not_followed(self, status: int) -> None:
        with Receiver() as other, Receiver(Reply(status, "", {"Location": other.url()})) as receiver:
            assert not post(receiver.url(), BODY, {}).is_success
            assert other.calls == []

    def test_is_read_to_a_point_only(self) -> None:
        with Receiver(Reply(500, "x" * 1_000_000)) as receiver:
            assert len(post(receiver.url(), BODY, {}).text) == 2_048

    def test_of_nobody_is_none(self) -> None:
        with pytest.raises(NoAnswer, match="ConnectionRefusedError"):
            post(f"http://{HOST}:{free_port()}/", BODY, {})

    def test_in_another_tongue_is_none(self) -> None:
        with MailServer() as server, pytest.raises(NoAnswer, match="BadStatusLine"):
            post(f"http://{HOST}:{server.port}/", BODY, {})

    def test_of_the_second_address_will_do(self) -> None:
        with Receiver() as receiver:
            answer = post(receiver.url(host="two.example"), BODY, {}, look_up=leads_to("::1", HOST))
        assert answer.is_success


class TestCertificate:
    def test_of_another_name_gets_nothing(self, authority: trustme.CA) -> None:
        with Receiver(certificate=certificate(authority, "other.example")) as receiver:
            with pytest.raises(NoAnswer, match="certificate is not good"):
                post(receiver.url(host="hooks.example"), BODY, {}, look_up=leads_to(HOST))
            assert receiver.calls == []

    def test_of_an_unknown_authority_gets_nothing(self, authority: trustme.CA) -> None:
        with Receiver(certificate=certificate(trustme.CA(), "hooks.example")) as receiver:
            with pytest.raises(NoAnswer, match="certificate is not good"):
                post(receiver.url(host="hooks.example"), BODY, {}, look_up=leads_to(HOST))
            assert receiver.calls == []


class TestDeadline:
    @pytest.mark.parametrize("status", [200, 500])
    def test_holds_for_a_byte_at_a_time(self, status: int) -> None:
        with Receiver(Reply(status, "x" * 500, pace=0.05)) as receiver:
            begun = time.monotonic()
            with pytest.raises(NoAnswer, match="No answer within"):
                post(receiver.url(), BODY, {}, deadline=0.6)
            assert 0.5 < time.monotonic() - begun < 1.5

    def test_holds_for_a_slow_body_whose_status_counts(self) -> None:
        with Receiver(Reply(500, "x" * 500, pace=0.004)) as receiver:
            begun = time.monotonic()
            answer = post(receiver.url(), BODY, {}, deadline=1.2)
            assert time.monotonic() - begun < 2
        assert answer.status == 500
        assert 0 < len(answer.text) < 500

    def test_holds_for_a_handshake_that_never_comes(self, authority: trustme.CA) -> None:
        with socket.create_server((HOST, 0)) as deaf:
            url = f"https://hooks.example:{deaf.getsockname()[1]}/"
            begun = time.monotonic()
            with pytest.raises(NoAnswer):
                post(url, BODY, {}, deadline=0.4, look_up=leads_to(HOST))
            assert time.monotonic() - begun < 1.5

    def test_counts_the_look_up(self) -> None:
        def slow(host: str, port: int, timeout: float) -> Sequence[str]:
            time.sleep(0.3)
            return [HOST]

        with Receiver() as receiver, pytest.raises(NoAnswer, match="No answer within"):
            post(receiver.url(host="slow.example"), BODY, {}, deadline=0.2, look_up=slow)
        assert receiver.calls == []
