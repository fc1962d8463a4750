"""Makes the tenants of a world: `python -m tests.chaos.seed SETS HOOK` writes them as JSON, for who has no Django."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from importlib import import_module

import django

django.setup()

from django.conf import settings  # noqa: E402  # after Django is set up
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.utils import timezone  # noqa: E402

from billing.models import Allowance, Metric, Plan  # noqa: E402
from billing.subscriptions import subscribe  # noqa: E402
from tenants.keys import create_key  # noqa: E402
from tenants.models import Membership, Tenant, User  # noqa: E402
from tests.chaos.parties import LIMIT, SIZE, Party  # noqa: E402
from usage.alerts.setup import add_endpoint  # noqa: E402


def main() -> None:
    sets, hook, at = (
        int(sys.argv[1]),
        sys.argv[2],
        timezone.now().replace(day=1, hour=0),
    )  # nothing to bill yet
    plans = {"tight": _plan("tight", LIMIT), "ample": _plan("ample", None)}
    names = [(number, name) for number in range(sets) for name in ("tight", *["ample"] * (SIZE - 1))]
    parties = [
        _party(plans[name], f"{name}-{number}-{seat}", hook, at) for seat, (number, name) in enumerate(names)
    ]
    json.dump([party._asdict() for party in parties], sys.stdout)


def _plan(slug: str, included: int | None) -> Plan:
    """Stops at `included` API calls; of all else there is no end."""
    plan = Plan.objects.create(slug=slug, name=slug.title(), is_public=False)
    for metric in Metric.objects.all():
        units = included if metric.code == "api_calls" else None
        Allowance.objects.create(plan=plan, metric=metric, included=units)
    return plan


def _party(plan: Plan, slug: str, hook: str, at: datetime) -> Party:
    tenant = Tenant.objects.create(slug=slug, name=slug.title(), created_at=at)
    subscribe(tenant, plan, at=at, actor=None, reason="chaos")
    owner = User.objects.create(email=f"owner@{slug}.example", password="!")
    Membership.objects.create(tenant=tenant, user=owner, role=Membership.Role.OWNER)
    is_tight = plan.slug == "tight"
    if is_tight:
        add_endpoint(tenant, kind="webhook", url=hook, name="", person=owner, at=at)
    key = create_key(tenant, name="load", at=at).secret
    return Party(tenant.pk, slug, key, _session(owner), LIMIT if is_tight else None)


def _session(user: User) -> str:
    """The cookie of a browser in which somebody has signed in."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    main()
