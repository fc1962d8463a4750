"""Seals what opens somebody else's door, so that a copy of the database opens none: Fernet, keyed by SECRET_KEY.

A signing secret can't be kept as a digest: the sender signs with it. What was sealed with a key that has gone stays
shut; keep the old one in HEADROOM_SECRET_KEY_FALLBACKS until its secrets were made anew.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

PURPOSE = b"headroom: addresses and secrets of endpoints"


class Shut(Exception):
    """It was sealed with another key than those of the settings."""


def seal(plain: str) -> str:
    """`plain` as ASCII that only these settings open; empty stays empty."""
    return _fernet().encrypt(plain.encode()).decode() if plain else ""


def unseal(sealed: str) -> str:
    """What was sealed; raises Shut."""
    if not sealed:
        return ""
    try:
        return _fernet().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Shut("It can't be opened with this HEADROOM_SECRET_KEY: enter it anew.") from error


def _fernet() -> MultiFernet:
    return _keyed((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _keyed(secrets: tuple[str, ...]) -> MultiFernet:
    """Seals with the first, opens with all."""
    return MultiFernet([Fernet(_key(secret)) for secret in secrets])


def _key(secret: str) -> bytes:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
