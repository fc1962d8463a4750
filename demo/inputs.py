"""Reads what clients send, and says what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse

from tenants.problems import problem

FILE_BYTES = 10_000_000
JSON_BYTES = 10_000
NAME_LENGTH = 120
USER_BYTES = 200
CHUNK = 65_536


class BadInput(Exception):
    """What a client sent can't be used: status, title and detail of the answer."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


class Content(NamedTuple):
    """A file's size in bytes and its SHA-256."""

    size: int
    sha256: str


def checked(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answers BadInput as a problem."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except BadInput as bad:
            return problem(request, status=bad.status, title=bad.title, detail=bad.detail)

    return answered


def file_name(name: str) -> str:
    """`name`, if a file can be called that."""
    if len(name) > NAME_LENGTH or not name.isprintable():
        detail = f"A file's name has at most {NAME_LENGTH} printable characters."
        raise BadInput(422, "Unusable name", detail)
    return name


def content_of(request: HttpRequest) -> Content:
    """Reads the body without keeping it."""
    declared = _declared_size(request, FILE_BYTES)
    digest, size = hashlib.sha256(), 0
    while chunk := request.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    if size != declared:
        raise BadInput(
            400, "Incomplete body", f"Content-Length says {declared} bytes, {size} arrived. Send it again."
        )
    return Content(size, digest.hexdigest())


def user_of(request: HttpRequest) -> str:
    """The member `user` of a JSON body."""
    if request.content_type != "application/json":
        detail = f"Send application/json, not {request.content_type or 'a body without a type'}."
        raise BadInput(415, "Unsupported media type", detail)
    _declared_size(request, JSON_BYTES)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise BadInput(400, "Not JSON", f"The body can't be read as JSON ({error}).") from error
    user = body.get("user") if isinstance(body, dict) else None
    if not isinstance(user, str) or not user or not user.isprintable() or len(user.encode()) > USER_BYTES:
        detail = f'Send {{"user": "…"}} with 1 to {USER_BYTES} bytes of printable text.'
        raise BadInput(422, "Unusable user", detail)
    return user


def _declared_size(request: HttpRequest, most: int) -> int:
    declared = request.headers.get("Content-Length") or "0"
    if "Transfer-Encoding" in request.headers or not declared.isdecimal():
        raise BadInput(411, "Length required", "Say the size of the body in Content-Length.")
    if int(declared) > most:
        raise BadInput(
            413, "Content too large", f"At most {most:,} bytes fit into one request, not {int(declared):,}."
        )
    return int(declared)
