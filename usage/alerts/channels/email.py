"""Tells people by e-mail, in text and HTML, over one connection for a whole run."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from usage.alerts.channels.base import GiveUp, Retry, Unreachable
from usage.alerts.messages import Message
from usage.alerts.notes import Note
from usage.alerts.unsubscribe import stop_url
from usage.models import Delivery

# Waits in one conversation, each as long as EMAIL_TIMEOUT at most: connect, greeting, EHLO, STARTTLS, its handshake,
# EHLO, three for AUTH, MAIL, RCPT, DATA, the text, RSET or QUIT, and one for a second address of the server.
WAITS = 15
TIMEOUT = 10
PERMANENT = 500


class Email:
    """Sends through the mail server that the settings name."""

    name = "email"

    def __init__(self) -> None:
        self.deadline = timedelta(seconds=WAITS * (settings.EMAIL_TIMEOUT or TIMEOUT))
        self._connection = get_connection(timeout=settings.EMAIL_TIMEOUT or TIMEOUT)

    def send(self, delivery: Delivery, message: Message | Note) -> None:
        mail = compose(delivery, message)
        mail.connection = self._connection
        try:
            self._connection.open()
            mail.send()
        except OSError as error:  # all of smtplib's errors are OSErrors, too
            self.close()
            raise _failure(error) from error
        except ValueError as error:  # an address or a header that can't be written
            raise GiveUp(str(error)) from error

    def close(self) -> None:
        with suppress(OSError):  # it is closed also where the server does not say goodbye
            self._connection.close()


def compose(delivery: Delivery, message: Message | Note) -> EmailMultiAlternatives:
    """The mail for one receiver: the same id each time it is sent, one thread per tenant, metric and period."""
    host, stop = urlsplit(settings.BASE_URL).hostname, stop_url(delivery)
    template = "note" if isinstance(message, Note) else "alert"
    context = {"message": message, "stop_url": stop}
    headers = {
        "Message-ID": f"<{delivery.pk}@{host}>",
        "References": f"<{message.thread}@{host}>",
        "Auto-Submitted": "auto-generated",
    }
    if stop:  # RFC 8058: mail programs show a button for these
        headers |= {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=render_to_string(f"usage/mail/{template}.txt", context),
        to=[delivery.target],
        headers=headers,
    )
    mail.attach_alternative(render_to_string(f"usage/mail/{template}.html", context), "text/html")
    return mail


def _failure(error: OSError) -> GiveUp | Retry:
    """What the server refused, for this receiver or text; anything else concerns every mail alike."""
    answer: bytes | str
    if isinstance(error, SMTPRecipientsRefused):
        code, answer = next(iter(error.recipients.values()))
    elif isinstance(error, SMTPDataError):
        code, answer = error.smtp_code, error.smtp_error
    else:
        return Unreachable(f"{type(error).__name__}: {error}")
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return (GiveUp if code >= PERMANENT else Retry)(f"{code} {text}")
