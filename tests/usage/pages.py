"""What tests of pages share: addresses, the text of an answer, the version a page shows."""

from __future__ import annotations

import re
from typing import Any

from django.urls import reverse

from tenants.models import Tenant

HTMX = {"HX-Request": "true"}


def address(tenant: Tenant, name: str = "overview", **parts: str) -> str:
    """The address of one of the tenant's pages."""
    return reverse(f"usage:{name}", kwargs={"slug": tenant.slug, **parts})


def text(response: Any) -> str:
    return str(response.content.decode())


def seen(response: Any) -> str:
    """The version that the page shows."""
    found = re.search(r'id="seen" name="seen" value="([\w-]+)"', text(response))
    assert found
    return found[1]


def swapped(response: Any) -> set[str]:
    """The ids of the parts that an answer to HTMX puts in place of those with the same ids."""
    return set(re.findall(r'id="(\w+)"[^>]*hx-swap-oob="true"', text(response)))
