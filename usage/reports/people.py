"""Who did something, as its reader may know."""

from __future__ import annotations

from django.utils.translation import gettext as _

from tenants.models import User


def name_of(actor: User | None, *, for_staff: bool) -> str:
    """Who did it; who of operations it was is for operations to know. Empty for what happened by itself."""
    if actor is None:
        return ""
    return str(actor) if for_staff or not actor.is_staff else _("Operations")
