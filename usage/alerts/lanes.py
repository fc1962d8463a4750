"""Lanes: deliveries that are worked off beside all others, so that nothing slow is in anybody else's way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore

from django.db.models import Q, QuerySet

from usage.models import Delivery, Endpoint

SLACK, WEBHOOK = Endpoint.Kind.SLACK.value, Endpoint.Kind.WEBHOOK.value
CALLS = (SLACK, WEBHOOK)  # channels whose deliveries go to an endpoint

QUICK = Q(endpoint__state=Endpoint.State.WORKING, endpoint__is_slow=False)
# What failed or was slow the last time may be so again, and each try may take its whole deadline. To one that was
# disabled only tests go.
DOUBTFUL = (
    Q(endpoint__state=Endpoint.State.FAILING)
    | Q(endpoint__state=Endpoint.State.WORKING, endpoint__is_slow=True)
    | Q(endpoint__state=Endpoint.State.DISABLED, kind=Delivery.Kind.TEST)
)


@dataclass(frozen=True)
class Lane:
    """`channels` and, where they lead to endpoints, which of those; `runs` of it may go on at once in a process."""

    channels: tuple[str, ...]
    runs: int
    endpoints: Q | None = None
    slots: BoundedSemaphore = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", BoundedSemaphore(self.runs))

    def due(self, at: datetime, channels: Collection[str]) -> QuerySet[Delivery]:
        """What may be tried at `at` through one of `channels`, locked; what others hold is passed over."""
        rows = Delivery.objects.due(at).filter(channel__in=[one for one in self.channels if one in channels])
        rows = rows.select_related(
            "tenant",
            "endpoint",
            "alert__tenant",
            "alert__metric",
            "alert__plan",
            "statement__tenant",
            "statement__of",
        )
        if self.endpoints is None:
            return rows.select_for_update(skip_locked=True, of=("self",))
        is_free = Q(endpoint__taken_until=None) | Q(endpoint__taken_until__lte=at)
        is_rested = Q(endpoint__rests_until=None) | Q(endpoint__rests_until__lte=at)
        is_test = Q(kind=Delivery.Kind.TEST)  # somebody waits for it
        rows = rows.filter(self.endpoints, is_free, is_rested | is_test)
        return rows.select_for_update(skip_locked=True, of=("self", "endpoint"))


LANES: Mapping[str, Lane] = {
    "email": Lane(("email",), runs=2),
    "inbox": Lane(("inbox",), runs=1),
    "calls": Lane(CALLS, runs=4, endpoints=QUICK),
    "doubtful": Lane(CALLS, runs=2, endpoints=DOUBTFUL),
}
RUNS = sum(lane.runs for lane in LANES.values())
