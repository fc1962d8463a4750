"""Metrics and plans as counting needs them, without a query for each request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from billing.models import Metric, Plan
from usage.metering.types import UnknownMetric

SECONDS = 5.0
UNKNOWN_SECONDS = 1.0  # a wrong code must not cost a query for each call


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All metrics by code and all plans by id, as read at `at` (monotonic seconds)."""

    metrics: Mapping[str, Metric]
    plans: Mapping[int, Plan]
    at: float

    def metric(self, code: str) -> Metric:
        """The metric of this code. Raises UnknownMetric."""
        try:
            return self.metrics[code]
        except KeyError:
            known = ", ".join(self.metrics)
            raise UnknownMetric(f"No metric {code!r}: use one of {known}, or add it in the admin.") from None


_current: Catalogue | None = None


def catalogue(*, code: str | None = None) -> Catalogue:
    """The catalogue, at most five seconds old; read again at once where `code` is not in it."""
    global _current
    now = time.monotonic()
    old = _current
    if old and now - old.at < (SECONDS if code is None or code in old.metrics else UNKNOWN_SECONDS):
        return old
    metrics = {metric.code: metric for metric in Metric.objects.all()}
    _current = Catalogue(metrics, {plan.pk: plan for plan in Plan.objects.all()}, now)
    return _current


def forget() -> None:
    """Read metrics and plans anew at the next call."""
    global _current
    _current = None
