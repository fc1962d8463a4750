"""What Celery does: each task is one line, and each has a management command that does the same from cron."""

from celery import shared_task
from django.utils import timezone

from billing.costs import pending
from usage.alerts import outbox
from usage.costs import due
from usage.metering import chores
from usage.reports import pulse


@shared_task
def flush() -> None:
    chores.flush(timezone.now())


@shared_task
def take_over_changes() -> None:
    chores.take_over_changes(timezone.now())


@shared_task
def deliver(lane: str) -> None:
    outbox.work(lane, timezone.now())


@shared_task
def begin_periods() -> None:
    chores.begin_periods(timezone.now())


@shared_task
def expect_use() -> None:
    chores.expect_use(timezone.now())


@shared_task
def hold_caps() -> None:
    chores.hold_caps(timezone.now())


@shared_task
def open_ahead() -> None:
    chores.open_ahead(timezone.now())


@shared_task
def reopen() -> None:
    chores.reopen(timezone.now())


@shared_task
def sweep_limits() -> None:
    chores.sweep_limits(timezone.now())


@shared_task
def make_partitions() -> None:
    chores.make_partitions(timezone.now())


@shared_task
def roll_up_days() -> None:
    chores.roll_up_days(timezone.now())


@shared_task
def close_periods() -> None:
    chores.close_periods(timezone.now())


@shared_task
def allocate_costs() -> None:
    due.allocate_costs(timezone.now())


@shared_task
def reconcile() -> None:
    chores.reconcile(timezone.now())


@shared_task
def take_pulse() -> None:
    pulse.take_pulse(timezone.now())


@shared_task
def sweep_imports() -> None:
    pending.sweep(timezone.now())
