"""Judges durable totals against limits: writes down what was crossed, and queues what is news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction

from billing.entitlements import Entitlements
from tenants.models import Tenant
from usage.alerts import memory, outbox
from usage.alerts.choices import choices_of, is_told
from usage.alerts.crossings import Case, Crossing, Line, Told, crossings, is_quiet
from usage.alerts.memory import Cases, Subject
from usage.alerts.spending import Spending, is_halt, spend_crossings, was_halted

DEFAULT_PERCENTS = (80, 90, 95, 100)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one tenant has durably used in its current period, and how often it was refused, by metric code.

    `cap_stops`: where a spend cap stops a metric; `spending`: what that costs, none where there is no cap.
    """

    tenant: Tenant
    entitlements: Entitlements
    used: Mapping[str, int]
    refused: Mapping[str, int]
    cap_stops: Mapping[str, int] = field(default_factory=dict)
    spending: Spending | None = None


@transaction.atomic(savepoint=False)
def judge(readings: Sequence[Reading], at: datetime) -> int:
    """Record what was crossed and queue what is news; returns how many deliveries were written.

    Call it in the transaction that made the totals durable. The number of queries does not grow with `readings`.
    """
    cases, spent = _cases(readings), _spent(readings)
    near = {subject: case for subject, case in cases.items() if crossings(case, {})}
    capped = {subject: one for subject, one in spent.items() if spend_crossings(one, {})}
    told = memory.told({*near, *capped})
    caps = [
        (subject, crossing)
        for subject, one in capped.items()
        for crossing in spend_crossings(one, told.get(subject, {}))
    ]
    crossed = [
        (subject, one) for subject, case in near.items() for one in crossings(case, told.get(subject, {}))
    ]
    memory.remember(cases)
    if not crossed and not caps:
        return 0
    crossed = _as_chosen([*_but_of_caps(crossed, caps, told), *caps], at)
    plans = {one.tenant.pk: one.entitlements.plan for one in readings}
    return outbox.put(memory.record(crossed, {**cases, **spent}, plans, at), at)


Crossed = list[tuple[Subject, Crossing]]


def _but_of_caps(crossed: Crossed, caps: Crossed, told: Mapping[Subject, Mapping[Line, Told]]) -> Crossed:
    """A refusal by a spend cap is no news where the cap's own alert said that requests are refused."""
    halted = {subject.tenant_id for subject, one in caps if is_halt(one)}
    halted |= {subject.tenant_id for subject, lines in told.items() if was_halted(lines)}
    return [
        (
            subject,
            replace(one, is_sent=False, is_urgent=False)
            if one.is_by_cap and subject.tenant_id in halted
            else one,
        )
        for subject, one in crossed
    ]


def _as_chosen(crossed: Crossed, at: datetime) -> Crossed:
    """What a tenant does not want to hear, or operations have silenced, is recorded only."""
    choices = choices_of({subject.tenant_id for subject, _ in crossed})
    return [
        (
            subject,
            one
            if is_told(choices.get(subject.tenant_id), one.line.kind, at)
            else replace(one, is_sent=False),
        )
        for subject, one in crossed
    ]


def _cases(readings: Sequence[Reading]) -> Cases:
    """What is to be judged. Most metrics are far from every line and were so before: that is seen at a glance."""
    tenant_ids = [one.tenant.pk for one in readings]
    percents = memory.percents(tenant_ids)
    judged = memory.judged(tenant_ids, {one.entitlements.period.first for one in readings})
    cases: dict[Subject, Case] = {}
    # All rows are written in this order, so that two who judge can't wait for each other.
    for reading in sorted(readings, key=lambda one: one.tenant.pk):
        tenant_id, period = reading.tenant.pk, reading.entitlements.period.first
        for_all = percents.get((tenant_id, None), DEFAULT_PERCENTS)
        for code, limit in reading.entitlements.limits.items():
            subject = (tenant_id, limit.metric_id, period)
            own = percents.get((tenant_id, limit.metric_id), for_all)
            used, refused, before = (
                reading.used.get(code, 0),
                reading.refused.get(code, 0),
                judged.get(subject),
            )
            if before is None or not is_quiet(limit, used, refused, own, before):
                stop = reading.cap_stops.get(code)
                cases[Subject(*subject)] = Case(limit, used, refused, own, before, stop)
    return cases


def _spent(readings: Sequence[Reading]) -> dict[Subject, Spending]:
    return {
        Subject(one.tenant.pk, None, one.entitlements.period.first): one.spending
        for one in sorted(readings, key=lambda one: one.tenant.pk)
        if one.spending
    }
