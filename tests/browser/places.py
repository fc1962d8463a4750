"""All pages that people open, found in the URL configuration: a new one is walked without anybody's remembering it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.contrib.auth.tokens import default_token_generator
from django.core.signing import dumps
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from tenants.invitation_links import token_of
from tenants.models import User
from tests.isolation.addresses import addresses
from tests.isolation.asked import path_of, queries_of
from tests.isolation.mistakes import FORMS
from tests.isolation.side import Side
from tests.isolation.table import expected
from usage.alerts import unsubscribe

# What answers a GET with something else than a page.
FILES = ("_csv", "_json")
PROGRAMS = {"usage:api_usage", "usage:healthz", "usage:readyz", "usage:measures", "usage:zones"}


class Wrong(NamedTuple):
    """What somebody sends where, with a mistake in it."""

    actor: str
    path: str
    typed: dict[str, str]


def places(side: Side) -> dict[str, list[str]]:
    """The paths by who opens them; what is open to strangers is theirs alone."""
    viewer, friend = side.people["viewer"], side.tenant.invitations.get(withdrawn_at=None)
    stop = dumps([side.tenant.pk, viewer.pk], salt=unsubscribe.SALT)
    doors = [f"/join/{token_of(friend)}/", reset_link(viewer), reverse("usage:stop_mail", args=[stop])]
    return {
        "anonymous": [*_pages("anonymous", side, own=False), *doors],
        **{role: list(_pages(role, side, own=True)) for role in ("viewer", "owner", "staff")},
    }


def forms(side: Side) -> list[Wrong]:
    """A mistake in each form."""
    return [
        Wrong(FORMS[one.name].actor, path_of(one, side), dict(FORMS[one.name].typed))
        for one in addresses()
        if one.name in FORMS
    ]


def reset_link(person: User) -> str:
    """As it is mailed."""
    uidb64, token = urlsafe_base64_encode(force_bytes(person.pk)), default_token_generator.make_token(person)
    return reverse("tenants:reset_confirm", kwargs={"uidb64": uidb64, "token": token})


def _pages(actor: str, side: Side, *, own: bool) -> Iterator[str]:
    for address in addresses():
        if address.is_admins or address.name in PROGRAMS or address.name.endswith(FILES):
            continue
        is_open = expected(address.name, "GET", "anonymous", htmx=False) == "200"
        if is_open is own or expected(address.name, "GET", actor, htmx=False) != "200":
            continue
        # What a tenant's page can be asked for its owner asks; to all others it shows no more.
        is_asked = actor == "owner" or "<slug:slug>" not in address.route
        for query in queries_of(address, side) if is_asked else [""]:
            if "seen=" not in query:  # a poll is of parts of the page
                yield f"{path_of(address, side)}{'?' if query else ''}{query}"
