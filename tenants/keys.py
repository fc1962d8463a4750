"""API keys: made, found by what a program presents, revoked; a request that repeats one costs no query."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.audit import Action, record
from tenants.memory import FRESH, STALE, Memory
from tenants.models import ApiKey, Tenant, User

SHAPE = re.compile(r"hr_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
NOTE_EVERY = timedelta(minutes=1)
# A change of a key is felt by other processes within this time; the longer one while PostgreSQL is away.
FELT_WITHIN, FELT_AT_WORST = FRESH, STALE


class KeyRefused(Exception):
    """A presented key opens nothing; says why, as far as who presents it may know."""


class NewKey(NamedTuple):
    """A key just made, with the only copy of its secret."""

    key: ApiKey
    secret: str


def create_key(
    tenant: Tenant | None,
    *,
    name: str,
    at: datetime,
    created_by: User | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """A key for `tenant`, or, without one, a service key; its 256-bit secret can't be read again later."""
    key = ApiKey(tenant=tenant, name=name, created_at=at, created_by=created_by, expires_at=expires_at)
    secret = seal(key)
    key.save()
    return NewKey(key, secret)


def seal(key: ApiKey) -> str:
    """Give an unsaved key its scope, prefix and digest; returns the secret they belong to."""
    prefix = secrets.token_hex(6)
    secret = f"hr_{prefix}_{secrets.token_urlsafe(32)}"
    key.scope = ApiKey.Scope.SERVICE if key.tenant_id is None else ApiKey.Scope.TENANT
    key.prefix, key.digest = prefix, _digest(secret)
    return secret


def find_key(secret: str, at: datetime) -> ApiKey:
    """The live key that `secret` opens, with its tenant, both at most 5 s old; shared, so don't change them.

    Raises KeyRefused; OperationalError or InterfaceError where PostgreSQL is away and the key not remembered.
    """
    if not (match := SHAPE.fullmatch(secret)):
        raise KeyRefused(_("This is not the form of a key: copy it whole, from hr_ to its end."))
    key = _known.get(match[1], at)
    if key is None or not hmac.compare_digest(key.digest, _digest(secret)):
        raise KeyRefused(_("There is no such key. Create one on the API keys page."))
    if key.revoked_at is not None:
        raise KeyRefused(_("This key was revoked. Create a new one on the API keys page."))
    if key.expires_at is not None and key.expires_at <= at:
        raise KeyRefused(_("This key has expired. Create a new one on the API keys page."))
    if (tenant := key.tenant) is not None and tenant.is_closed:
        raise KeyRefused(_("The tenant of this key is closed."))
    return key


def revoke_key(key: ApiKey, at: datetime, by: User | None) -> bool:
    """From now on the key opens nothing: here at once, in other processes within 5 s; False where it was so."""
    with transaction.atomic():
        is_news = bool(ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at, revoked_by=by))
        if is_news and key.tenant is not None:
            record(key.tenant, Action.KEY_REVOKED, actor=by, at=at, name=key.name, key=key.beginning)
    key.refresh_from_db(fields=["revoked_at", "revoked_by"])
    forget_key(key)
    return is_news


def forget_key(key: ApiKey) -> None:
    """Read this key anew next time it is presented here."""
    _known.forget(key.prefix)


def note_use(key: ApiKey, at: datetime) -> None:
    """Write down that the key was used, at most once a minute over all processes."""
    due = at - NOTE_EVERY
    for noted in (_noted.get(key.pk), key.last_used_at):
        if noted is not None and noted > due:
            return
    if len(_noted) >= KEPT:
        _noted.clear()
    _noted[key.pk] = at
    ApiKey.objects.filter(pk=key.pk).unused_since(due).update(last_used_at=at)


def forget_keys() -> None:
    """Read every key anew next time it is presented."""
    _known.forget()
    _noted.clear()


def _read(prefix: str) -> ApiKey | None:
    return ApiKey.objects.select_related("tenant").filter(prefix=prefix).first()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


KEPT = 10_000
_known: Memory[str, ApiKey] = Memory(_read, size=KEPT)
_noted: dict[int, datetime] = {}
