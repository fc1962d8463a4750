"""A real SMTP receiver on a free port of the loopback, which can refuse, hang and die like any other."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.db import connection

HOST = "127.0.0.1"


class MailServer:
    """Keeps the mails it has read; `answers` refuses receivers, `reading` runs before a mail is acknowledged."""

    def __init__(self, port: int | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.receivers: list[str] = []
        self.sessions: set[int] = set()
        self.answers: dict[str, str] = {}
        self.reading: Callable[[], Awaitable[None]] | None = None
        self.acknowledged = "250 OK"
        self.port = port or free_port()
        self._controller = Controller(self, hostname=HOST, port=self.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.receivers += envelope.rcpt_tos
        self.sessions.add(id(session))
        if self.reading:
            await self.reading()
        return self.acknowledged

    def use(self, settings: Any) -> None:
        """Have mails sent here."""
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = HOST, self.port


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def worker_environment(port: int) -> dict[str, str]:
    """The environment of another process on this test's database, that sends mails to `port`."""
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        **os.environ,
        "DATABASE_URL": address.geturl(),
        "HEADROOM_SMTP_HOST": HOST,
        "HEADROOM_SMTP_PORT": str(port),
        "HEADROOM_MAIL_DIR": "",
    }


async def until(event: Any) -> None:
    """Wait for a thread's event without holding up other conversations; half a minute at most."""
    for _ in range(600):
        if event.is_set():
            return
        await asyncio.sleep(0.05)
