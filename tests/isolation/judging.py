"""Reads answers: what a cell of the table says of one, and what it shows that it must not."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from django.apps import apps
from django.utils import timezone
from django.utils.html import escape

from tenants.models import Tenant
from tests.isolation.actors import Body
from usage.metering import peek

# Where a redirect leads that asks people to sign in.
DOORS = ("/sign-in/?next=", "/admin/login/?next=")


def cell(answer: Any) -> str:
    """The status, or `in` for the way to the page to sign in."""
    is_door = answer.status_code == 302 and answer["Location"].startswith(DOORS)
    return "in" if is_door else str(answer.status_code)


def shown(answer: Any, hidden: tuple[str, ...], sent: Body | None = None) -> list[str]:
    """Which of these texts the answer shows, in its body or headers; what the request said itself does not count."""
    told = b"".join(answer) if answer.streaming else answer.content
    # The way to sign in names the page that was asked for, to come back to it.
    headers = (value for name, value in answer.items() if name != "Location" or cell(answer) != "in")
    text = told.decode() + " ".join(headers)
    for _name, value in parse_qsl(sent.content) if sent else ():
        text = text.replace(escape(value), "").replace(value, "")
    return [one for one in hidden if one in text.lower()]


def kept(tenant: Tenant) -> dict[str, object]:
    """All that belongs to a tenant: its rows in every table, and its counts."""
    rows: dict[str, object] = {
        model.__name__: list(model._base_manager.filter(tenant=tenant).order_by("pk").values_list())
        for model in apps.get_models()
        if any(field.name == "tenant" for field in model._meta.fields)
    }
    gauges = peek(tenant, timezone.now()) or ()
    return {
        "Tenant": Tenant.objects.filter(pk=tenant.pk).values_list().get(),
        **rows,
        **{gauge.metric.code: gauge.used for gauge in gauges},
    }
