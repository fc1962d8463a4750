"""The tabs of the staff pages, with how much of the inbox nobody has seen."""

from __future__ import annotations

from typing import Any

from django import template

from usage.reports import inbox

register = template.Library()


@register.inclusion_tag("partials/staff_tabs.html")
def staff_tabs(tab: str) -> dict[str, Any]:
    """The tabs, `tab` being the page's own; one query."""
    return {"tab": tab, "unseen": inbox.capped(inbox.unseen())}
