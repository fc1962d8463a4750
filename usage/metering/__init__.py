"""Counts in Redis, keeps in PostgreSQL. This is the public face; import nothing else from here.

from usage.metering import Charge, consume, record, peek, measure
"""

from usage.metering.types import (
    BurstTooSmall,
    Cause,
    Charge,
    ChargeError,
    CountsUnavailable,
    Decision,
    Gauge,
    InvalidAmount,
    InvalidLabel,
    InvalidMember,
    Refusal,
    TenantClosed,
    UnknownMetric,
)
