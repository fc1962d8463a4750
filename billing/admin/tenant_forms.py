"""Forms that put one tenant on a plan, end its subscription, or give it more than its plan does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from billing.admin.fields import QuantityField, refuse_sizes, remark_sizes
from billing.models import Override, Plan, Subscription
from billing.periods import period_at
from billing.terms import moment
from tenants.models import Tenant


class SubscriptionForm(forms.ModelForm[Subscription]):
    """A subscription that begins; the one before it ends at that moment."""

    class Meta:
        model = Subscription
        fields = ("tenant", "plan", "starts", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "starts" in self.fields:
            self.fields["starts"].initial = timezone.now
            self.fields["starts"].help_text = "UTC. A subscription that runs then ends then."

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        tenant: Tenant | None = data.get("tenant") or getattr(self.instance, "tenant", None)
        plan: Plan | None = data.get("plan")
        starts: datetime | None = data.get("starts")
        if tenant and plan and starts:
            self._check(tenant, plan, starts)
        return data

    def _check(self, tenant: Tenant, plan: Plan, starts: datetime) -> None:
        first = period_at(tenant, timezone.now()).starts
        if starts < first:
            self.add_error("starts", f"Earlier periods are over: begin on {moment(first)} or later.")
        elif Subscription.objects.running(starts).filter(tenant=tenant, plan=plan).exists():
            self.add_error("plan", f"{tenant} is on {plan} then already: choose another plan or moment.")


class SubscriptionEndForm(forms.ModelForm[Subscription]):
    """When a subscription ends; what it was until now stays as it was. An end is asked about once more."""

    is_meant = forms.BooleanField(required=False, label="Yes, end it then")

    class Meta:
        model = Subscription
        fields = ("ends", "end_reason")
        help_texts = {
            "ends": "UTC; empty = it goes on. Without a subscription a tenant has the default plan."
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        ends: datetime | None = data.get("ends")
        if ends and "ends" in self.changed_data and not data.get("is_meant"):
            one = self.instance
            text = f"{one.tenant} loses what {one.plan} gives on {moment(ends)}, unless another subscription begins"
            self.add_error("is_meant", f"{text}: tick this if that is meant, and save again.")
        return data

    def clean_ends(self) -> datetime | None:
        ends: datetime | None = self.cleaned_data["ends"]
        if "ends" not in self.changed_data:
            return ends
        now = timezone.now()
        if self.instance.ends is not None and self.instance.ends <= now:
            raise ValidationError(
                f"It ended on {moment(self.instance.ends)}: add a new subscription instead."
            )
        if ends is not None and ends < max(now, self.instance.starts):
            raise ValidationError(f"{moment(ends)} is over: end it now ({moment(now)}) or later.")
        later = Subscription.objects.filter(tenant=self.instance.tenant, starts__gt=self.instance.starts)
        following = later.order_by("starts").select_related("plan").first()
        if following and (ends is None or ends > following.starts):
            until = moment(following.starts)
            raise ValidationError(
                f"{following.plan} begins on {until}: end by then, or delete that one first."
            )
        return ends


class OverrideForm(forms.ModelForm[Override]):
    """More, or another amount, of a metric for one tenant, with a reason."""

    units = QuantityField(required=False, help_text="Base units, or as “5 GB”; empty with “set” = unlimited.")

    class Meta:
        model = Override
        fields = ("tenant", "metric", "mode", "units", "reason", "starts", "ends")
        help_texts = {
            "reason": "Kept in the history, e.g. “trial extended, ticket 4711”.",
            "ends": "Empty = for good.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in {"tenant", "metric"} & self.fields.keys():
                self.fields[name].disabled = True
            remark_sizes(self, self.instance.metric, "units")
        elif "starts" in self.fields:
            self.fields["starts"].initial = timezone.now

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        refuse_sizes(self, data.get("metric"), "units")
        if data.get("mode") == Override.Mode.ADD and "units" in data and not data["units"]:
            self.add_error(
                "units", "Enter how many units to add; to lift the limit, choose “set” and leave this empty."
            )
        starts, ends = data.get("starts"), data.get("ends")
        if starts and ends and ends <= starts:
            self.add_error("ends", f"It begins on {moment(starts)} and can't end before: enter a later end.")
        elif ends and not self.instance.pk and ends <= timezone.now():
            self.add_error("ends", f"{moment(ends)} is over: enter a later end, or none.")
        return data
