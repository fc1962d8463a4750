"""Which pages of the demo are shown in `docs/screenshots`, under which names, and as whom."""

from __future__ import annotations

from dataclasses import dataclass

NORTHWIND, KESTREL, NEWCOMER = "/t/northwind-labs/", "/t/kestrel-freight/", "/t/tessellate-ai/"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: the file's name, who looks, where, and the link that is followed from there."""

    name: str
    who: str
    path: str
    follow: str = ""  # a CSS selector


def _of(who: str, home: str, *parts: tuple[str, str]) -> list[Shot]:
    return [Shot(name, who, f"{home}{part}") for name, part in parts]


OWNER, STAFF, STRANGER, PROGRAM = "owner", "staff", "stranger", "program"

SHOTS = (
    *_of(
        OWNER,
        NORTHWIND,
        ("overview", ""),
        ("metric", "metrics/api_calls/"),
        ("metric-storage", "metrics/storage/?range=30d"),
        ("cost", "cost/"),
        ("plan", "plan/"),
        ("plan-choice", "plan/?to=enterprise"),
        ("alerts", "alerts/"),
        ("keys", "keys/"),
        ("members", "members/"),
        ("settings", "settings/"),
        ("why", "why/"),
        ("statements", "statements/"),
        ("history", "history/"),
    ),
    Shot("statement", OWNER, f"{NORTHWIND}statements/", follow="#statements a"),
    Shot("key-rotate", OWNER, f"{NORTHWIND}keys/", follow="#keys a[href$='/rotate/']"),
    *_of(
        STAFF,
        "/staff/",
        ("tenants", "tenants/"),
        ("tenant", "tenants/northwind-labs/"),
        ("outreach", "outreach/"),
        ("costs", "costs/"),
        ("inbox", "inbox/"),
        ("deliveries", "deliveries/"),
        ("imports", "imports/"),
        ("health", "health/"),
        ("audit", "audit/"),
    ),
    Shot("viewing-as", STAFF, KESTREL),
    Shot("unused", STAFF, NEWCOMER),
    Shot("sign-in", STRANGER, "/sign-in/"),
    Shot("reset", STRANGER, "/password/reset/"),
    Shot("refused", PROGRAM, "/demo/api/ping"),
)
