"""A tenant's own keys as its people manage them: a bounded number, each replaced with an overlap or revoked."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.audit import Action, record
from tenants.keys import NewKey, create_key, forget_key
from tenants.models import ApiKey, Tenant, User

MOST = 50  # live keys of a tenant
OVERLAPS = (timedelta(0), timedelta(hours=1), timedelta(hours=24), timedelta(days=7))


class TooManyKeys(Exception):
    """A tenant has as many live keys as it may; says what to do."""


class NameTaken(Exception):
    """A live key of the tenant has this name, so that nobody could tell the two apart; says what to do."""


class NotLive(Exception):
    """A key that opens nothing any more, or was replaced already, can't be replaced; says which."""


@transaction.atomic
def add_key(
    tenant: Tenant, *, name: str, person: User, at: datetime, expires_at: datetime | None = None
) -> NewKey:
    """A new key, and its secret, which can't be read again; raises TooManyKeys and NameTaken."""
    _require_room(tenant, at)
    if ApiKey.objects.live(at).filter(tenant=tenant, name=name, replaced_by=None).exists():
        raise NameTaken(_("A key with this name works already. Choose another name, or rotate that key."))
    made = create_key(tenant, name=name, at=at, created_by=person, expires_at=expires_at)
    record(tenant, Action.KEY_CREATED, actor=person, at=at, name=name, key=made.key.beginning)
    return made


def rotate_key(key: ApiKey, *, overlap: timedelta, person: User, at: datetime) -> NewKey:
    """A new key of the same name in place of `key`, which works on for `overlap` and then expires by itself.

    One that was to expire is replaced by one that lives as long from now. Raises NotLive; TooManyKeys where both
    would live.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=key.pk)
        made = _replaced(old, overlap, person, at)
    forget_key(old)
    return made


def _replaced(old: ApiKey, overlap: timedelta, person: User, at: datetime) -> NewKey:
    assert old.tenant is not None
    if not old.is_live(at) or old.replaced_by_id is not None:
        raise NotLive(_("This key no longer works, or was replaced already."))
    if overlap:
        _require_room(old.tenant, at)
    life = old.expires_at and old.expires_at - old.created_at
    made = create_key(
        old.tenant, name=old.name, at=at, created_by=person, expires_at=at + life if life else None
    )
    old.replaced_by = made.key
    old.expires_at = min(filter(None, (old.expires_at, at + overlap)))
    old.save(update_fields=["replaced_by", "expires_at"])
    words = {"name": old.name, "key": old.beginning, "new": made.key.beginning}
    record(old.tenant, Action.KEY_ROTATED, actor=person, at=at, **words)
    return made


def _require_room(tenant: Tenant, at: datetime) -> None:
    # So that two who make one at once are counted; rows that refer to the tenant may be written meanwhile.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if ApiKey.objects.live(at).filter(tenant=tenant).count() >= MOST:
        raise TooManyKeys(_("%d keys work, and there may be no more. Revoke one first.") % MOST)
