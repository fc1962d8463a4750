"""The demo's passwords and keys in `demo.json`, which only its owner may read: scripts and the traffic use it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.cast import CUSTOMERS, STAFF_EMAIL

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another


@dataclass(slots=True)
class Credentials:
    """What opens the demo: one password for all its people, and its API keys by slug."""

    password: str = ""
    service_key: str = ""
    keys: dict[str, str] = field(default_factory=dict)


def new_password() -> str:
    """Three groups that can be read aloud and typed."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


def read_credentials(path: Path) -> Credentials:
    """What the file knows; nothing where there is none, or one that can't be read."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        keys = {one["slug"]: str(one["api_key"]) for one in found["tenants"]}
        return Credentials(str(found["staff"]["password"]), str(found["service_key"]), keys)
    except (OSError, ValueError, KeyError, TypeError):
        return Credentials()


def write_handout(path: Path, credentials: Credentials, *, base_url: str, mail_dir: Path) -> None:
    """Replace the file at once, so that a reader never sees half of it."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(_handout(credentials, base_url, mail_dir), file, indent=2)
        file.write("\n")
    draft.replace(path)


def _handout(credentials: Credentials, base_url: str, mail_dir: Path) -> Mapping[str, Any]:
    return {
        "base_url": base_url,
        "staff": {"username": STAFF_EMAIL, "password": credentials.password},
        "service_key": credentials.service_key,
        "tenants": [
            {
                "slug": one.slug,
                "name": one.name,
                "plan": one.plan,
                "api_key": credentials.keys[one.slug],
                "owner": {"username": one.email(one.owner), "password": credentials.password},
            }
            for one in CUSTOMERS
            if one.slug in credentials.keys
        ],
        "mail_dir": str(mail_dir),
    }
