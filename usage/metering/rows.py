"""What snapshots come to, as rows for the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from billing.models import Metric
from usage.metering import keys
from usage.metering.ledger import Counts
from usage.metering.snapshots import Hour, Snapshot

CAUSES = {b"1": "limit", b"2": "cap", b"3": "burst"}


def rows_of(snapshots: Iterable[Snapshot]) -> Counts:
    """All of them, by table; of metrics that nobody knows any more there are none."""
    # Read anew: other processes may have counted a metric that was added a moment ago.
    counts, metrics = Counts(), {metric.code: metric for metric in Metric.objects.all()}
    for one in snapshots:
        _read_levels(one, metrics, counts)
        _read_members(one, metrics, counts)
        for hour in one.hours:
            _read_hour(one.tenant_id, hour, metrics, counts)
        for period, account in {hour.first: hour.account for hour in one.hours}.items():
            _read_account(one.tenant_id, period, account, metrics, counts)
    return counts


def _read_levels(one: Snapshot, metrics: Mapping[str, Metric], counts: Counts) -> None:
    if b"epoch" not in one.levels:
        return
    epoch = int(one.levels[b"epoch"])
    for field, added in one.levels.items():
        if field.startswith(b"a:") and (metric := metrics.get(field[2:].decode())):
            moves = int(added), int(one.levels[b"r:" + field[2:]])
            if any(moves):
                counts.levels.append((one.tenant_id, metric.pk, epoch, *moves))


def _read_members(one: Snapshot, metrics: Mapping[str, Metric], counts: Counts) -> None:
    for entry in one.newcomers:
        period, code, member = entry.decode().split("|", 2)
        if metric := metrics.get(code):
            counts.members.append((one.tenant_id, metric.pk, date.fromisoformat(period), member))


def _read_account(
    tenant_id: int,
    period: date,
    account: Mapping[bytes, bytes],
    metrics: Mapping[str, Metric],
    counts: Counts,
) -> None:
    for field, refused in account.items():
        if not field.startswith(b"x:") or not (metric := metrics.get(field[2:].decode())):
            continue
        used = 0
        if metric.kind == Metric.Kind.SUM:
            used = int(account[b"u:" + field[2:]]) - int(account[b"o:" + field[2:]])
        if used or int(refused):
            counts.periods.append((tenant_id, metric.pk, period, int(account[b"epoch"]), used, int(refused)))


def _read_hour(tenant_id: int, hour: Hour, metrics: Mapping[str, Metric], counts: Counts) -> None:
    if b"epoch" not in hour.counts:
        return
    epoch, at = int(hour.counts[b"epoch"]), keys.hour_of(hour.hour)
    for field, value in hour.counts.items():
        kind, _, rest = field.decode().partition(":")
        code, _, detail = rest.partition(":")
        metric = metrics.get(code)
        if metric is None:
            continue
        if kind == "u":
            counts.hours.append((tenant_id, metric.pk, at, detail, epoch, int(value)))
        elif kind == "x":
            counts.refusals.append((tenant_id, metric.pk, at, CAUSES[detail.encode()], epoch, int(value)))
        elif kind == "lp":
            moves = [int(hour.counts.get(f"{part}:{code}".encode(), 0)) for part in ("la", "lr", "lp", "lc")]
            counts.level_hours.append((tenant_id, metric.pk, at, epoch, *moves))
