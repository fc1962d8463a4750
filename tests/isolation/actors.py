"""Everybody who may ask for an address, and how each asks: with a session, with a key, with neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.test import Client

from tenants.keys import create_key
from tenants.models import Tenant, User
from tenants.requests import CHOSEN
from tests.isolation.side import make_side

TOKEN = "c" * 32


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written into PostgreSQL meanwhile is taken back at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Body(NamedTuple):
    """What an unsafe request carries."""

    content: str = ""
    type: str = "application/x-www-form-urlencoded"


class World:
    """Two tenants, ours and theirs, and all actors, known by the names of their columns in the tables."""

    def __init__(self, at: datetime) -> None:
        self.ours = make_side("zephyrine", 483_647, at)
        self.theirs = make_side("marlinspike", 461_223, at)
        self.client = Client(enforce_csrf_checks=True)
        self.sessions = {
            role: self._sign_in(user, self.ours.tenant) for role, user in self.ours.people.items()
        }
        # Who belonged to us once has our tenant in the session still.
        self.sessions["other"] = self._sign_in(self.theirs.people["owner"], self.ours.tenant)
        self.sessions["staff"] = self._sign_in(_staff("sam", is_superuser=True))
        self.sessions["clerk"] = self._sign_in(_staff("carol"))
        service = create_key(None, name="service", at=at).secret
        self.secrets = {"key": self.ours.secret, "other-key": self.theirs.secret, "service": service}

    def ask(
        self,
        actor: str,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        htmx: bool = False,
        token: bool = True,
    ) -> Any:
        """The answer to a request of `actor`; without `token` it comes from a foreign page."""
        self._take_cookies(actor, token)
        # Everybody names our tenant: without a service key that must lead nowhere.
        headers = {"X-Tenant-ID": self.ours.tenant.slug}
        if htmx:
            headers["HX-Request"] = "true"
        if token:
            headers["X-CSRFToken"] = TOKEN
        if actor in self.secrets:
            headers["Authorization"] = f"Bearer {self.secrets[actor]}"
        content, kind = body or Body()
        # Everybody has a network of their own: who tries too often is slowed down by it.
        network = f"192.0.2.{sum(actor.encode()) % 256}"
        return self.client.generic(method, path, content, kind, headers=headers, REMOTE_ADDR=network)

    def send(
        self,
        actor: str,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        htmx: bool = False,
        token: bool = True,
    ) -> Any:
        """The same; what the request wrote into PostgreSQL is undone."""
        with undone():
            return self.ask(actor, method, path, body, htmx=htmx, token=token)

    def hidden_from(self, actor: str) -> tuple[str, ...]:
        """What no answer to this actor may show; operations see every tenant."""
        if actor in ("staff", "clerk"):
            return ()
        if actor == "anonymous":
            return self.ours.marks + self.theirs.marks
        return self.ours.marks if actor.startswith("other") else self.theirs.marks

    def _take_cookies(self, actor: str, token: bool) -> None:
        self.client.cookies.clear()
        if actor in self.sessions:
            self.client.cookies["sessionid"] = self.sessions[actor]
        if token:
            self.client.cookies["csrftoken"] = TOKEN

    def _sign_in(self, user: User, chosen: Tenant | None = None) -> str:
        self.client.cookies.clear()
        self.client.force_login(user)
        if chosen:
            session = self.client.session
            session[CHOSEN] = chosen.pk
            session.save()
        return self.client.cookies["sessionid"].value


def _staff(name: str, *, is_superuser: bool = False) -> User:
    return User.objects.create_user(f"{name}@ops.example", is_staff=True, is_superuser=is_superuser)
