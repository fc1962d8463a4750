"""The Celery application: which tasks beat rings for, and how often."""

import gc
import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Deliveries are worked off in these, each beside the others; `usage.alerts.lanes` says what belongs to each.
LANES = ("email", "inbox", "calls", "doubtful")

app = Celery("headroom")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect  # where there are no children
@worker_process_init.connect  # each child of a pool
def collect_seldom(**_: Any) -> None:
    """Thousands of rows come and go with each task, without a circle: to look for one took a third of each flush."""
    gc.freeze()
    gc.set_threshold(50_000)


def _every(seconds: float, task: str, queue: str = "celery", *arguments: str) -> dict[str, Any]:
    """A task that is not begun within its own interval is dropped: the next one does its work."""
    return {
        "task": task if "." in task else f"usage.tasks.{task}",
        "schedule": seconds,
        "args": arguments,
        "options": {"queue": queue, "expires": max(1.0, seconds)},
    }


app.conf.beat_schedule = {
    "flush": _every(1, "flush", "flush"),
    "take over changes": _every(0.5, "take_over_changes", "limits"),
    **{f"deliver {lane}": _every(1, "deliver", "alerts", lane) for lane in LANES},
    "begin periods": _every(30, "begin_periods"),
    "expect use": _every(60, "expect_use"),
    "hold caps": _every(60, "hold_caps"),
    "open ahead": _every(600, "open_ahead"),
    "reopen": _every(2, "reopen"),
    "sweep limits": _every(300, "sweep_limits"),
    "make partitions": _every(300, "make_partitions"),
    "roll up days": _every(600, "roll_up_days"),
    "close periods": _every(60, "close_periods"),
    "allocate costs": _every(15, "allocate_costs"),
    "reconcile": _every(600, "reconcile"),
    "sweep imports": _every(3600, "sweep_imports"),
    "take pulse": _every(10, "take_pulse"),
    "mail invitations": _every(60, "tenants.tasks.mail_invitations"),
}
