"""Answers polls: the parts of a page that changed, or 204 with the time the counts were read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from usage.reports.document import moment


def answer_poll(
    request: HttpRequest, template: str, context: dict[str, Any], *, version: str, counted_to: datetime
) -> HttpResponse:
    """The template (a partial that swaps its parts by id), unless the page already shows `version`."""
    if request.GET.get("seen") == version:
        response = HttpResponse(status=204)
    else:
        response = render(request, template, {**context, "is_poll": True})
    response["X-Counted-To"] = moment(counted_to)
    response["Cache-Control"] = "no-store"
    return response
