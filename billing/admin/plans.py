"""Metrics, plans with their allowances and prices, and the log of what changed a limit, in the admin."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from billing.admin.confirmation import ConfirmedAdmin
from billing.admin.forms import AllowanceForm, FlatAllowanceForm, TierForm, TierFormSet
from billing.admin.reading import ChosenOnce, ReadOnlyAdmin, TenantSearch
from billing.changes import limits_changed, tenants_on
from billing.models import Allowance, EntitlementChange, Metric, Plan, PriceTier
from billing.terms import differences, terms_of
from tenants.admin.recording import RecordedAdmin
from tenants.models import User


@admin.register(Metric)
class MetricAdmin(RecordedAdmin[Metric]):
    list_display = ("name", "code", "kind", "unit", "on_outage", "position")
    fields = ("name", "noun", "code", "kind", "unit", "on_outage", "position")

    def get_readonly_fields(self, request: HttpRequest, obj: Metric | None = None) -> tuple[str, ...]:
        """What was counted under a code, kind and unit can't become something else."""
        return ("code", "kind", "unit") if obj else ()


class AllowanceInline(ChosenOnce[Allowance, Plan], admin.TabularInline[Allowance, Plan]):
    model = Allowance
    form = FlatAllowanceForm
    fields = ("metric", "included", "beyond", "hard_limit", "burst", "price", "per")
    extra = 0
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Allowance]:
        return super().get_queryset(request).select_related("metric", "plan").prefetch_related("tiers")


@admin.register(Plan)
class PlanAdmin(ConfirmedAdmin):
    list_display = ("name", "slug", "base_fee", "is_public", "position")
    fields = ("name", "slug", "base_fee", "is_public", "position")
    inlines = [AllowanceInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        """The slug stands in settings and imports."""
        return ("slug",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        """Tenants without a subscription have the default plan: it can't go."""
        is_default = obj is not None and obj.slug == settings.HEADROOM_DEFAULT_PLAN
        return not is_default and bool(super().has_delete_permission(request, obj))

    def save_related(self, request: HttpRequest, form: ModelForm[Plan], formsets: Any, change: bool) -> None:
        # Saving the plan itself has locked its row, so the terms read here stay until ours are saved.
        before = terms_of(form.instance)
        super().save_related(request, form, formsets, change)
        self.settle(request, form.instance, before)


class TierInline(admin.TabularInline[PriceTier, Allowance]):
    model = PriceTier
    form = TierForm
    formset = TierFormSet  # type: ignore[assignment]  # its stub names no form but ModelForm
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceTier]:
        return super().get_queryset(request).select_related("allowance__metric")


@admin.register(Allowance)
class AllowanceAdmin(ConfirmedAdmin):
    """Reached from its plan, for graduated prices and for its history; not on the index."""

    form = AllowanceForm
    list_display = ("plan", "metric", "included", "beyond", "hard_limit", "burst")
    list_select_related = ("plan", "metric")
    list_filter = ("plan", "metric")
    fields = ("plan", "metric", "included", "beyond", "hard_limit", "burst")
    readonly_fields = ("plan", "metric")
    inlines = [TierInline]
    actions = None

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return {}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An allowance is added on its plan's page."""
        return False

    def save_model(self, request: HttpRequest, obj: Allowance, form: AllowanceForm, change: bool) -> None:
        plan = Plan.objects.select_for_update().get(pk=obj.plan_id)
        form.before = terms_of(plan)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: AllowanceForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        self.settle(request, form.instance.plan, form.before)

    def delete_model(self, request: HttpRequest, obj: Allowance) -> None:
        plan, at = Plan.objects.select_for_update().get(pk=obj.plan_id), timezone.now()
        before = terms_of(plan)
        super().delete_model(request, obj)
        reason = f"Plan {plan}: {'; '.join(differences(before, terms_of(plan)))}"
        limits_changed(tenants_on(plan, at), reason=reason, at=at, actor=cast(User, request.user))


@admin.register(EntitlementChange)
class EntitlementChangeAdmin(TenantSearch[EntitlementChange], ReadOnlyAdmin[EntitlementChange]):
    """Why a limit is what it is."""

    list_display = ("at", "tenant", "version", "reason", "actor", "felt_at")
    list_select_related = ("tenant", "actor")
    ordering = ("-pk",)
