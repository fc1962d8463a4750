"""The tables of `usage`: counts, standings, forecasts, alerts and their receivers, signs of life."""

from usage.endpoints import AlertChoice, Endpoint, MailChoice
from usage.models.accruals import LevelAccrual
from usage.models.alerts import Alert, Delivery, JudgedLimit, Notice, Threshold
from usage.models.counts import (
    Daybook,
    LevelDay,
    LevelHour,
    RefusalDay,
    RefusalHour,
    StaleDay,
    UsageDay,
    UsageHour,
    UsageLevel,
    UsageMember,
    UsagePeriod,
)
from usage.models.expectations import Expectation
from usage.models.heartbeats import Heartbeat
from usage.models.late import LateUse
from usage.models.standing import Standing

__all__ = [
    "Alert",
    "AlertChoice",
    "Daybook",
    "Delivery",
    "Endpoint",
    "Expectation",
    "Heartbeat",
    "JudgedLimit",
    "LateUse",
    "LevelAccrual",
    "LevelDay",
    "LevelHour",
    "MailChoice",
    "Notice",
    "RefusalDay",
    "RefusalHour",
    "StaleDay",
    "Standing",
    "Threshold",
    "UsageDay",
    "UsageHour",
    "UsageLevel",
    "UsageMember",
    "UsagePeriod",
]
