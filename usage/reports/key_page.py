"""What the page of API keys shows: those that work, and those that did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, When
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.keyring import MOST
from tenants.keys import FELT_AT_WORST, FELT_WITHIN
from tenants.models import ApiKey, Tenant
from usage.reports import dates
from usage.reports.meters import Look
from usage.reports.people import name_of

SOON = timedelta(days=7)
MOST_OVER = 20  # keys that no longer work, as far as they are shown


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key of the list; never its secret. `look` is none for one that no longer works, `state` says why."""

    id: int
    name: str
    beginning: str
    scope: str
    look: Look | None
    state: str
    created: str
    creator: str
    used: str
    expires: str
    may_rotate: bool


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys that work, newest first, then the last of those that no longer do."""

    live: tuple[KeyLine, ...]
    over: tuple[KeyLine, ...]

    @property
    def count(self) -> str:
        """“3 of at most 50 work”."""
        count = len(self.live)
        text = ngettext("%(n)d of at most %(most)d works", "%(n)d of at most %(most)d work", count)
        return text % {"n": count, "most": MOST}


def key_page(tenant: Tenant, at: datetime, *, for_staff: bool = False) -> KeyPage:
    """The keys of `tenant`; two queries."""
    keys = ApiKey.objects.filter(tenant=tenant).select_related("created_by")
    live = keys.live(at).order_by("-created_at", "-pk")
    # The time it ended: expired or revoked, whichever was first.
    ended = Case(When(revoked_at=None, then="expires_at"), default="revoked_at")
    over = keys.exclude(pk__in=keys.live(at).values("pk")).order_by(ended.desc(), "-pk")[:MOST_OVER]
    return KeyPage(
        tuple(key_line(one, at, for_staff=for_staff) for one in live),
        tuple(key_line(one, at, for_staff=for_staff) for one in over),
    )


def key_line(key: ApiKey, at: datetime, *, for_staff: bool = False) -> KeyLine:
    """How a key stands at `at`."""
    look = _look(key, at)
    return KeyLine(
        id=key.pk,
        name=key.name,
        beginning=key.beginning,
        scope=key.get_scope_display(),
        look=look,
        state=look.word if look else _end(key, at),
        created=dates.day(key.created_at),
        creator=name_of(key.created_by, for_staff=for_staff),
        used=dates.when(key.last_used_at, at) if key.last_used_at else _("never"),
        expires=dates.when(key.expires_at, at) if key.expires_at else _("never"),
        may_rotate=look is not None and key.replaced_by_id is None,
    )


def felt_within() -> str:
    """“within 5 seconds, or 10 minutes while the database does not answer”: when a change of a key acts everywhere."""
    spans = {"s": int(FELT_WITHIN.total_seconds()), "min": int(FELT_AT_WORST.total_seconds()) // 60}
    return _("within %(s)d seconds, or %(min)d minutes while the database does not answer") % spans


def try_line(secret: str) -> str:
    """A command that shows whether a key works, and what it sees."""
    return f'curl -H "Authorization: Bearer {secret}" {settings.BASE_URL}{reverse("usage:api_usage")}'


def _look(key: ApiKey, at: datetime) -> Look | None:
    if not key.is_live(at):
        return None
    if key.replaced_by_id is not None:
        return Look("near", _("Replaced"))
    if key.expires_at is not None and key.expires_at - at <= SOON:
        return Look("near", _("Expires soon"))
    return Look("ok", _("Works"))


def _end(key: ApiKey, at: datetime) -> str:
    if key.revoked_at is not None:
        return _("Revoked %(when)s") % {"when": dates.when(key.revoked_at, at)}
    assert key.expires_at is not None
    return _("Expired %(when)s") % {"when": dates.when(key.expires_at, at)}
