"""Where each tenant stands now."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models import Metric, Plan
from tenants.models import Tenant

RUNS_OUT = models.Q(runs_out__isnull=False)


class Standing(models.Model):
    """Where a tenant stands now: what “All tenants” reads. One row a tenant, written by the flush.

    `fill`, `forecast` and `risk`, the larger of them, are whole percents of the worst metric, capped, so that their
    index moves seldom. `runs_out`: the first day on which something that is below its limit now will reach it.
    """

    class State(models.TextChoices):
        OK = "ok", _("OK")
        NEAR = "near", _("Approaching")
        FULL = "full", _("At limit")
        OVER = "over", _("Over · billed")

    tenant = models.OneToOneField(Tenant, models.CASCADE, primary_key=True, related_name="standing")
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="+")
    period = models.DateField()
    period_ends = models.DateTimeField()
    worst = models.ForeignKey(Metric, models.SET_NULL, null=True, related_name="+")
    fill = models.PositiveSmallIntegerField(default=0)
    forecast = models.PositiveSmallIntegerField(null=True)
    risk = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=4, choices=State, default=State.OK)
    runs_out = models.DateField(null=True)
    runs_out_of = models.ForeignKey(Metric, models.SET_NULL, null=True, related_name="+", db_index=False)
    expected_on = models.DateField(null=True)  # when forecasts were learnt last
    overage = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    refused = models.BigIntegerField(default=0)
    last_used = models.DateTimeField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["-risk", "tenant"], name="standing_by_risk"),
            models.Index(fields=["plan", "-risk", "tenant"], name="standing_by_plan"),
            models.Index(fields=["state", "-risk", "tenant"], name="standing_by_state"),
            models.Index(fields=["-risk", "tenant"], name="standing_running_out", condition=RUNS_OUT),
            models.Index(fields=["period_ends"], name="standing_to_roll"),
            models.Index(fields=["expected_on", "tenant"], name="standing_to_expect"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.get_state_display()}, {self.fill} %"
