"""Answers polls: the parts of a page that changed, or 204 with the time the counts were read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from usage.reports.document import moment
from usage.reports.versions import is_delay_news


def answer_poll(
    request: HttpRequest, template: str, context: dict[str, Any], *, version: str, counted_to: datetime
) -> HttpResponse:
    """The template (a partial that swaps its parts by id), unless the page already shows `version`."""
    seen = request.GET.get("seen", "")
    if seen == version:
        response = HttpResponse(status=204)
    else:
        # What is announced is swapped only when it changes, or it would be read out at every poll.
        news = {"is_poll": True, "is_delay_news": is_delay_news(seen, version)}
        response = render(request, template, {**context, **news})
    response["X-Counted-To"] = moment(counted_to)
    response["Cache-Control"] = "no-store"
    return response
