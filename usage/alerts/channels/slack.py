"""Tells a Slack channel through an incoming webhook."""

from __future__ import annotations

import json
from typing import Any

from usage.alerts.channels.base import GiveUp, Gone
from usage.alerts.channels.calls import CALL_DEADLINE, call, endpoint_of, opened, refused
from usage.alerts.messages import Message
from usage.alerts.notes import Note
from usage.alerts.safe_http import Answer
from usage.models import Delivery

# What no later attempt will mend: the channel or the app has gone, or this text will never be taken.
GONE = ("no_service", "channel_is_archived", "invalid_token")
UNFIT = ("invalid_payload", "invalid_blocks", "invalid_blocks_format", "no_text")
LONGEST_HEADER, LONGEST_TEXT, LONGEST_FIELD, LONGEST_BUTTON = 150, 3_000, 2_000, 75


class Slack:
    """Posts to the endpoint of the delivery."""

    name = "slack"
    deadline = CALL_DEADLINE

    def send(self, delivery: Delivery, message: Message | Note) -> int:
        url = opened(endpoint_of(delivery))
        body = json.dumps(content(message)).encode()
        answer = call(url, body, {"Content-Type": "application/json"})
        if not answer.is_success:
            raise _failure(answer, delivery)
        return answer.status

    def close(self) -> None:
        """Each message has a connection of its own."""


def content(message: Message | Note) -> dict[str, Any]:
    """The text for notifications, and the blocks: header, section with fields, one button, context."""
    if isinstance(message, Note):
        header, fields, url, link = message.subject, [], message.url, message.link
        context = message.reason
    else:
        header, fields = f"{message.sign} {message.subject}", _fields(message)
        url, link = message.url, message.link
        context = f"{message.tenant_line} · counted to {message.counted}"
    section: dict[str, Any] = {
        "type": "section",
        "text": _mrkdwn(f"{message.headline} {message.next}", LONGEST_TEXT),
    }
    if fields:
        section["fields"] = fields
    button = {"type": "button", "text": _plain(link, LONGEST_BUTTON), "url": url}
    return {
        "text": _fitted(f"{message.subject}: {message.headline}", LONGEST_TEXT),
        "blocks": [
            {"type": "header", "text": _plain(header, LONGEST_HEADER)},
            section,
            {"type": "actions", "elements": [button]},
            {"type": "context", "elements": [_mrkdwn(context, LONGEST_FIELD)]},
        ],
    }


def _fields(message: Message) -> list[dict[str, Any]]:
    facts = {
        "Used": message.summary,
        "Left": message.left,
        "At the limit": message.rule,
        "Resets": message.reset,
    }
    return [_mrkdwn(value, LONGEST_FIELD, f"*{name}*\n") for name, value in facts.items() if value]


def _mrkdwn(text: str, most: int, before: str = "") -> dict[str, Any]:
    """Formatted text; `before` is ours and keeps its marks."""
    return {"type": "mrkdwn", "text": before + _fitted(text, most - len(before))}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _fitted(text, most)}


def _fitted(text: str, most: int) -> str:
    """Escaped, so that nobody is mentioned and no link hides in a name; cut where it would be too long."""
    while len(escaped := _escaped(text)) > most:
        text = text[: -max(1, (len(escaped) - most) // 5)]
    return escaped


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _failure(answer: Answer, delivery: Delivery) -> Exception:
    said = answer.text.strip()
    words = f"{answer.status} {said or answer.reason}"
    if said in GONE:
        return Gone(words, status=answer.status)
    if said in UNFIT:
        return GiveUp(words, status=answer.status)
    return refused(answer, delivery.tried_at or delivery.created_at)
