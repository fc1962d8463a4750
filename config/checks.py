"""System checks that name what is wrong with the settings and what to do."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection

LEAST_DAYS = 35
LEAST_MINUTES = 60


@register(Tags.security, deploy=True)
def production_brings_its_own(**_: Any) -> list[CheckMessage]:
    """Its own PostgreSQL and Redis, and a secret of its own: the embedded servers are for the demo and the tests."""
    found: list[CheckMessage] = [
        Error(f"{name} is not set.", hint=f"Set {name} to your server's address.", id=f"headroom.E00{number}")
        for number, name in enumerate(("DATABASE_URL", "REDIS_URL"), 1)
        if settings.IS_EMBEDDED or not getattr(settings, name)
    ]
    if settings.SECRET_KEY.startswith("not-a-secret"):
        found.append(
            Error("HEADROOM_SECRET_KEY is not set.", hint="Set a long random value.", id="headroom.E003")
        )
    return found


@register(Tags.compatibility)
def quota_headers_are_known(**_: Any) -> list[CheckMessage]:
    """HEADROOM_RATELIMIT_HEADERS is ietf or none."""
    value = settings.HEADROOM_RATELIMIT_HEADERS
    if value in ("ietf", "none"):
        return []
    return [Error(f"HEADROOM_RATELIMIT_HEADERS={value!r}.", hint="Use ietf or none.", id="headroom.E004")]


@register(Tags.compatibility)
def hours_are_kept_for_a_period(**_: Any) -> list[CheckMessage]:
    """HEADROOM_KEEP_HOURS covers the longest period and some days: statements and lists of refusals read hours."""
    kept = settings.HEADROOM_KEEP_HOURS.days
    if kept >= LEAST_DAYS:
        return []
    hint = f"Keep hours for {LEAST_DAYS} days or more."
    return [Error(f"HEADROOM_KEEP_HOURS={kept}.", hint=hint, id="headroom.E005")]


@register(Tags.compatibility)
def periods_close_after_replays(**_: Any) -> list[CheckMessage]:
    """HEADROOM_CLOSE_GRACE lasts as long as calls that were held in an outage may be replayed."""
    minutes = settings.HEADROOM_CLOSE_GRACE // timedelta(minutes=1)
    if minutes >= LEAST_MINUTES:
        return []
    hint = f"Wait {LEAST_MINUTES} minutes or more: held calls are replayed for an hour."
    return [Error(f"HEADROOM_CLOSE_GRACE={minutes}.", hint=hint, id="headroom.E006")]


@register(Tags.database)
def operations_has_a_receiver(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Somebody in operations must hear of tenants at their limit."""
    from tenants.models import User  # models are loaded only once checks run

    if not databases or settings.HEADROOM_OPS_EMAIL:
        return []
    if User._meta.db_table not in connection.introspection.table_names():
        return []  # the first migration checks, too, and there is nobody yet
    if User.objects.filter(is_staff=True, is_active=True).exists():
        return []
    hint = "Set HEADROOM_OPS_EMAIL or give a person staff status in the admin."
    return [Warning("Nobody in operations receives alerts.", hint=hint, id="headroom.W001")]
