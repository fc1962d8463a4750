"""What templates need of the reports: the head of tenant pages, amounts and quantities in words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.template import Context
from django.utils import timezone

from usage.reports import dates
from usage.reports import frame as frames
from usage.reports import money as amounts
from usage.reports.delays import delay
from usage.reports.frame import Frame
from usage.reports.versions import marked

register = template.Library()


@register.simple_tag(takes_context=True)
def tenant_frame(context: Context) -> Frame:
    """The head of the page of `request.tenant`, so that every page about a tenant has the same."""
    request: Any = context["request"]
    return frames.frame(request.user, request.tenant, timezone.now())


@register.inclusion_tag("partials/live.html", takes_context=True)
def live_switch(context: Context) -> dict[str, Any]:
    """The switch that lets a page follow the counts or stand still; its state is a cookie."""
    request: Any = context["request"]
    return {
        "is_live": request.COOKIES.get("live") != "off",
        "next": request.get_full_path(),
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("partials/delayed.html")
def delay_note() -> dict[str, Any]:
    """The banner that says when counts are delayed, empty while they are not."""
    return {"delay": delay(timezone.now())}


@register.simple_tag
def marked_version(version: str) -> str:
    """The version of a page for its next poll: with whether the page says that counts are delayed."""
    return marked(version, is_delayed=delay(timezone.now()) is not None)


@register.filter
def money(amount: Decimal) -> str:
    return amounts.money(amount)


@register.filter
def iso(at: datetime) -> str:
    """RFC 3339 in UTC with seconds: what `<time datetime>` holds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@register.filter
def clock(at: datetime) -> str:
    """“14:02:10 UTC”, in the reader's time zone."""
    return dates.clock(at)


@register.filter
def minute(at: datetime) -> str:
    """“14:02 UTC”, in the reader's time zone."""
    return dates.minute(at)


@register.simple_tag
def reader_zone() -> str:
    """The name of the reader's time zone: “UTC”, “Europe/Berlin”."""
    return dates.zone()


@register.filter
def short_day(on: date) -> str:
    """“27 Nov”."""
    return dates.short(on)


@register.filter
def weekday(on: date) -> str:
    """“Fri 27 Nov”."""
    return dates.weekday(on)


@register.filter
def figure(n: int) -> str:
    """“18,412”."""
    return f"{n:,}"
