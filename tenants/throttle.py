"""Slows guessing down: counts attempts per window in Django's cache, by person and network address."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `limit` attempts of one subject in each fixed window."""

    name: str
    limit: int
    window: timedelta = timedelta(minutes=15)

    def count(self, subject: str, at: datetime) -> int:
        """Count one attempt; returns the seconds to wait when it was one too many, else 0.

        When the cache is away every attempt is allowed: locking everybody out would help an attacker more.
        """
        key = self._key(subject, at)
        try:
            cache.add(key, 0, timeout=self._seconds)
            attempts = cache.incr(key)
        except ValueError:  # the window ended between the two commands
            return 0
        if not attempts:
            logger.warning("The cache does not answer; attempts at %s are not throttled", self.name)
            return 0
        return self._left(at) if attempts > self.limit else 0

    def give_back(self, subject: str, at: datetime) -> None:
        """Take back an attempt that was no guess."""
        try:
            cache.decr(self._key(subject, at))
        except ValueError:  # the window has ended meanwhile
            logger.debug("Nothing to give back of %s", self.name)

    @property
    def _seconds(self) -> int:
        return int(self.window.total_seconds())

    def _left(self, at: datetime) -> int:
        return self._seconds - int(at.timestamp()) % self._seconds

    def _key(self, subject: str, at: datetime) -> str:
        digest = hashlib.sha256(subject.encode()).hexdigest()[:32]
        return f"throttle:{self.name}:{digest}:{int(at.timestamp()) // self._seconds}"


@dataclass(frozen=True, slots=True)
class Door:
    """Attempts of one kind: few by the same person from the same network, more by all from that network."""

    person: Throttle
    network: Throttle

    def knock(self, request: HttpRequest, email: str, at: datetime) -> int:
        """Count an attempt before it is made, so that parallel ones can't slip by; seconds to wait, or 0."""
        return max(throttle.count(subject, at) for throttle, subject in self._subjects(request, email))

    def welcome(self, request: HttpRequest, email: str, at: datetime) -> None:
        """The attempt succeeded: it counts no more."""
        for throttle, subject in self._subjects(request, email):
            throttle.give_back(subject, at)

    def _subjects(self, request: HttpRequest, email: str) -> list[tuple[Throttle, str]]:
        network = network_of(request)
        return [(self.person, f"{network} {email.strip().lower()}"), (self.network, network)]


SIGN_IN = Door(Throttle("sign-in-person", 10), Throttle("sign-in-network", 50))
RESET = Door(Throttle("reset-person", 5), Throttle("reset-network", 50))
INVITE = Throttle(
    "invite", 30, timedelta(hours=1)
)  # by tenant: our mail server sends to addresses they choose


def network_of(request: HttpRequest) -> str:
    """Where a request comes from: an IPv4 address, or the /64 that one IPv6 customer has to choose from.

    Behind a proxy the last address of X-Forwarded-For counts, the one our own proxy wrote.
    """
    given: str = request.META.get("REMOTE_ADDR", "")
    if settings.HEADROOM_BEHIND_PROXY:
        given = request.headers.get("X-Forwarded-For", given).rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
