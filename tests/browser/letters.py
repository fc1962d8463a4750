"""The mail that the programs have sent."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from tests.browser.site import Site


def letters(site: Site, email: str) -> list[str]:
    """The subject and text of each mail to this address."""
    assert site.group.logs
    found = []
    for file in Path(site.group.logs / "mail").glob("*"):
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        text = mail.get_body(("plain",))
        if text and mail["To"] == email:
            found.append(f"{mail['Subject']}\n{text.get_content()}")
    return found
