"""Gives every request an id: taken from X-Request-Id or made, echoed, and written into logs and problems."""

import logging
import re
import uuid
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

current: ContextVar[str] = ContextVar("request_id", default="-")

# What may be echoed into a header and a log line without a second thought.
ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")


class RequestIdMiddleware(MiddlewareMixin):
    """Sets `request.request_id` and the answer's X-Request-Id."""

    def process_request(self, request: HttpRequest) -> None:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if ACCEPTABLE.match(given) else str(uuid.uuid4())  # type: ignore[attr-defined]
        current.set(request.request_id)  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


class RequestIdFilter(logging.Filter):
    """Adds the current request's id to each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current.get()
        return True
