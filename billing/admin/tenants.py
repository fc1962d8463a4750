"""Subscriptions and overrides, on their own pages and on their tenant's; each change is told to counting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from django.utils import timezone

from billing.admin.confirmation import HistoryAdmin
from billing.admin.reading import TENANT_SEARCH, TENANT_SEARCH_HELP, ChosenOnce
from billing.admin.tenant_forms import (
    OverrideForm,
    SubscriptionEndForm,
    SubscriptionForm,
    override_words,
)
from billing.changes import limits_changed
from billing.models import Override, Subscription
from billing.subscriptions import subscribe
from billing.terms import moment
from tenants.admin import TenantAdmin as PlainTenantAdmin
from tenants.models import Tenant, User


def tell(request: HttpRequest, tenants: list[int], reason: str) -> None:
    """Let counting know that what these tenants (ids) may use has changed."""
    limits_changed(
        Tenant.objects.filter(pk__in=tenants),
        reason=reason,
        at=timezone.now(),
        actor=cast(User, request.user),
    )


def begin(request: HttpRequest, subscription: Subscription) -> Subscription:
    """Start the subscription of a form; the one before it ends."""
    plan, starts = subscription.plan, subscription.starts
    reason = f"On plan {plan} from {moment(starts)}"
    return subscribe(subscription.tenant, plan, at=starts, actor=cast(User, request.user), reason=reason)


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin[Subscription]):
    list_display = ("tenant", "plan", "starts", "ends")
    list_select_related = ("tenant", "plan")
    list_filter = ("plan",)
    search_fields = TENANT_SEARCH
    search_help_text = TENANT_SEARCH_HELP
    ordering = ("-pk",)
    autocomplete_fields = ("tenant",)
    show_full_result_count = False

    def get_form(
        self, request: HttpRequest, obj: Subscription | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Subscription]]:
        form = SubscriptionEndForm if obj else SubscriptionForm
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return ("tenant", "plan", "starts", "ends") if obj else ("tenant", "plan", "starts")

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return ("tenant", "plan", "starts") if obj else ()

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            if form.has_changed():
                tell(request, [obj.tenant_id], f"On plan {obj.plan} until {moment(obj.ends)}")
        else:
            obj.pk = begin(request, obj).pk

    def delete_model(self, request: HttpRequest, obj: Subscription) -> None:
        super().delete_model(request, obj)
        tell(request, [obj.tenant_id], f"Subscription to {obj.plan} removed")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        tenants = list(queryset.values_list("tenant_id", flat=True))
        super().delete_queryset(request, queryset)
        tell(request, tenants, "Subscription removed")


@admin.register(Override)
class OverrideAdmin(HistoryAdmin):
    form = OverrideForm
    list_display = ("tenant", "metric", "mode", "units", "reason", "author", "starts", "ends")
    list_select_related = ("tenant", "metric", "author")
    list_filter = ("metric", "mode")
    search_fields = TENANT_SEARCH
    search_help_text = TENANT_SEARCH_HELP
    ordering = ("-pk",)
    autocomplete_fields = ("tenant",)
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Override, form: Any, change: bool) -> None:
        if not change:
            obj.author = cast(User, request.user)
        super().save_model(request, obj, form, change)
        if form.has_changed():
            tell(request, [obj.tenant_id], f"Override: {override_words(obj)}")

    def delete_model(self, request: HttpRequest, obj: Override) -> None:
        super().delete_model(request, obj)
        tell(request, [obj.tenant_id], f"Override removed: {override_words(obj)}")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Override]) -> None:
        tenants = list(queryset.values_list("tenant_id", flat=True))
        super().delete_queryset(request, queryset)
        tell(request, tenants, "Override removed")


class SubscriptionInline(ChosenOnce[Subscription, Tenant], admin.TabularInline[Subscription, Tenant]):
    """Shows them all; a new row begins one. An end is set on the subscription's own page."""

    model = Subscription
    form = SubscriptionForm
    fields = ("plan", "starts", "ends")
    readonly_fields = ("ends",)
    extra = 0
    show_change_link = True
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("tenant", "plan")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OverrideInline(ChosenOnce[Override, Tenant], admin.StackedInline[Override, Tenant]):
    model = Override
    form = OverrideForm
    fields = (("metric", "mode"), "units", "reason", ("starts", "ends"), "author")
    readonly_fields = ("author",)
    extra = 0
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Override]:
        return super().get_queryset(request).select_related("metric", "author", "tenant")


admin.site.unregister(Tenant)


@admin.register(Tenant)
class TenantAdmin(PlainTenantAdmin):
    """The tenant with what it may use; what its counts must know is told to them."""

    search_help_text = "A tenant's id, or how words of its name or slug begin"

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [*super().get_inlines(request, obj), SubscriptionInline, OverrideInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tenant], search_term: str
    ) -> tuple[QuerySet[Tenant], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=Tenant.objects.matching(search_term).values("pk")), False

    def status_changed(self, request: HttpRequest, tenants: Sequence[Tenant]) -> None:
        if tenants:
            tell(request, [one.pk for one in tenants], f"Tenant is {tenants[0].get_status_display().lower()}")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        reasons = [] if change else ["Tenant added"]
        if change and "anchor_day" in form.changed_data:
            reasons.append(f"Periods begin on day {form.instance.anchor_day} from the next one on")
        for formset in formsets:
            if formset.model is Override:
                reasons += _overrides(formset)
        if reasons:
            tell(request, [form.instance.pk], "; ".join(reasons))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is Subscription:
            for subscription in sorted(formset.save(commit=False), key=lambda one: one.starts):
                begin(request, subscription)
            return
        if formset.model is Override:
            for row in formset.forms:
                if row.instance.pk is None:
                    row.instance.author = request.user
        super().save_formset(request, form, formset, change)


def _overrides(formset: BaseInlineFormSet[Override, Tenant, Any]) -> list[str]:
    """What a saved formset did, one line each."""
    saved = [*formset.new_objects, *(one for one, _fields in formset.changed_objects)]
    lines = [f"Override: {override_words(one)}" for one in saved]
    return lines + [f"Override removed: {override_words(one)}" for one in formset.deleted_objects]
