"""Counts in Redis, keeps in PostgreSQL. This is the public face; import nothing else from here.

from usage.metering import Charge, consume, record, peek, measure
"""

from usage.metering.counters import consume, is_delayed, measure, peek, record
from usage.metering.outage import answers as redis_answers
from usage.metering.refusals import PastRefusal, last_refusals
from usage.metering.signs import Signs, vital_signs
from usage.metering.types import (
    LABEL_BYTES,
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

__all__ = [
    "LABEL_BYTES",
    "BurstTooSmall",
    "Cause",
    "Charge",
    "ChargeError",
    "CountsUnavailable",
    "Decision",
    "Gauge",
    "InvalidAmount",
    "InvalidLabel",
    "InvalidMember",
    "PastRefusal",
    "Refusal",
    "Signs",
    "TenantClosed",
    "UnknownMetric",
    "consume",
    "is_delayed",
    "last_refusals",
    "measure",
    "peek",
    "record",
    "redis_answers",
    "vital_signs",
]
