"""Metrics and plans as counting needs them, without a query for each request."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import InterfaceError, OperationalError

from billing.models import Metric, Plan
from usage.metering.types import UnknownMetric

logger = logging.getLogger(__name__)

SECONDS = 5.0
UNKNOWN_SECONDS = 1.0  # a wrong code must not cost a query for each call


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All metrics by code and all plans by id, as read at `at` (monotonic seconds).

    `memory` is for what was worked out from them: it goes when they are read again.
    """

    metrics: Mapping[str, Metric]
    plans: Mapping[int, Plan]
    at: float
    memory: dict[Any, Any] = field(default_factory=dict, compare=False)

    def metric(self, code: str) -> Metric:
        """The metric of this code. Raises UnknownMetric."""
        try:
            return self.metrics[code]
        except KeyError:
            known = ", ".join(self.metrics)
            raise UnknownMetric(f"No metric {code!r}: use one of {known}, or add it in the admin.") from None


_current: Catalogue | None = None
_turn = threading.Lock()


def catalogue(*, code: str | None = None) -> Catalogue:
    """The catalogue, at most five seconds old; read again at once where `code` is not in it.

    While PostgreSQL is away it stays as it is: one reader a second tries, and nobody else waits. Raises what
    PostgreSQL raises where nothing was read yet.
    """
    now = time.monotonic()
    old = _current
    if old is None:
        return _read(now)
    if now - old.at < (SECONDS if code is None or code in old.metrics else UNKNOWN_SECONDS):
        return old
    if not _turn.acquire(blocking=False):
        return old
    try:
        return _read(now)
    except (OperationalError, InterfaceError) as error:
        logger.warning("PostgreSQL does not answer; metrics and plans stay as they were: %s", error)
        return _remember(Catalogue(old.metrics, old.plans, now - SECONDS + UNKNOWN_SECONDS))
    finally:
        _turn.release()


def forget() -> None:
    """Read metrics and plans anew at the next call."""
    global _current
    _current = None


def _read(now: float) -> Catalogue:
    metrics = {metric.code: metric for metric in Metric.objects.all()}
    return _remember(Catalogue(metrics, {plan.pk: plan for plan in Plan.objects.all()}, now))


def _remember(found: Catalogue) -> Catalogue:
    global _current
    _current = found
    return found


def _begin() -> None:
    """In a forked child: another thread of the parent may have held the turn."""
    global _turn
    _turn = threading.Lock()


os.register_at_fork(after_in_child=_begin)
