"""Asks before an action is done to the rows that were chosen in a list."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

M = TypeVar("M", bound=Model)

# Each row is done, and logged, by itself.
AT_ONCE = 500


def is_confirmed(request: HttpRequest) -> bool:
    return "confirmed" in request.POST


def ask(
    page: ModelAdmin[Any], request: HttpRequest, rows: QuerySet[M], *, title: str, text: str, action: str
) -> HttpResponse | None:
    """The page that names the rows and says what `action` will do to them; `text` may say how it is undone."""
    chosen = list(rows[: AT_ONCE + 1])
    if len(chosen) > AT_ONCE:
        text = _("Choose at most %d at a time.") % AT_ONCE
        page.message_user(request, text, messages.ERROR)
        return None
    context = {
        **page.admin_site.each_context(request),
        "title": title,
        "opts": page.opts,
        "text": text,
        "rows": chosen,
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/tenants/confirm.html", context)
