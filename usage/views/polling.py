"""Answers polls: the parts of a page that changed, or 204 with the time the counts were read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone

from usage.reports import dates
from usage.reports.delays import delay
from usage.reports.document import moment
from usage.reports.versions import is_delay_news, marked


def answer_poll(
    request: HttpRequest, template: str, context: dict[str, Any], *, version: str, counted_to: datetime
) -> HttpResponse:
    """The template (a partial that swaps its parts by id), unless the page already shows `version`."""
    seen, late = request.GET.get("seen", ""), delay(timezone.now())
    if seen == marked(version, is_delayed=late is not None):
        response = HttpResponse(status=204)
    else:
        response = render(request, template, {**context, "is_poll": True})
        # What is announced is swapped only when it changes, or it would be read out at every poll.
        if seen and is_delay_news(seen, is_delayed=late is not None):
            note = render_to_string("partials/delayed.html", {"delay": late, "is_poll": True})
            response.write(note)
    response["X-Counted-To"] = moment(counted_to)
    response["X-Counted-Text"] = dates.clock(counted_to)
    response["Cache-Control"] = "no-store"
    return response
