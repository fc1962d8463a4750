"""The dashboard as JSON: base units, RFC 3339 times in UTC, money as decimal strings with a currency."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from billing.pricing import rounded
from usage.forecasts.histories import LOOKED_BACK
from usage.reports.dashboard import Dashboard
from usage.reports.meters import Meter

Document = dict[str, Any]


def document(board: Dashboard) -> Document:
    """What `GET /api/usage` answers."""
    return {
        "tenant": {"slug": board.tenant.slug, "name": board.tenant.name},
        "plan": {"slug": board.plan.slug, "name": board.plan.name},
        "period": {
            "id": str(board.period),
            "starts_at": moment(board.period.starts),
            "ends_at": moment(board.period.ends),
        },
        "counted_to": moment(board.counted_to),
        "state": board.verdict.look.code,
        "summary": board.verdict.title,
        "metrics": [_metric(meter) for meter in board.meters],
        "estimate": _estimate(board),
        "refused_last_24h": board.causes,
        "alerts": [{"at": moment(one.at), "state": one.code, "text": one.text} for one in board.alerts],
    }


def moment(at: datetime) -> str:
    """“2026-11-23T14:02:10Z”."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _metric(meter: Meter) -> Document:
    limit, period = meter.limit, meter.period
    return {
        "code": meter.metric.code,
        "name": meter.metric.name,
        "kind": meter.metric.kind,
        "unit": meter.metric.unit,
        "used": meter.used,
        "included": limit.included,
        "limit": meter.size,
        "stops_at": limit.stop,
        "cap_stops_at": meter.cap_stop,
        "headroom": meter.headroom,
        "percent": meter.percent,
        "state": meter.state.value,
        "beyond": limit.allowance.beyond,
        "resets_at": None if meter.is_level else moment(period.ends),
        "overage": None if meter.amount is None else _money(meter.amount),
        "refused_last_24h": meter.refused,
        "forecast": _forecast(meter),
        "daily": _daily(meter),
    }


def _forecast(meter: Meter) -> Document | None:
    """What is expected at the period's end; null while nothing can be said."""
    if meter.forecast is None:
        return None
    end = meter.forecast.end
    return {
        "used": end.used,
        "low": end.low,
        "high": end.high,
        "limit_reached_at": moment(meter.runs_out) if meter.runs_out else None,
        "method": meter.forecast.method.name.lower(),
    }


def _daily(meter: Meter) -> list[Document]:
    """The last days, oldest first; a day is a UTC day."""
    today = meter.at.astimezone(UTC).date()
    first = today - timedelta(days=LOOKED_BACK - 1)
    return [
        {"day": (first + timedelta(days=back)).isoformat(), "quantity": value}
        for back, value in enumerate(meter.trend)
    ]


def _estimate(board: Dashboard) -> Document | None:
    if board.bill is None:
        return None
    return {
        "base_fee": _money(board.bill.base_fee),
        "overage": _money(board.bill.overage),
        "total": _money(board.bill.total),
    }


def _money(amount: Decimal) -> Document:
    return {"amount": str(rounded(amount)), "currency": settings.HEADROOM_CURRENCY}
