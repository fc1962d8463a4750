"""Overrides and grants: more than its plan for one tenant, with reason and end; each change is told to counting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.admin.confirmation import HistoryAdmin
from billing.admin.reading import ChosenOnce, TenantSearch
from billing.admin.telling import person, tell
from billing.admin.tenant_forms import OverrideForm
from billing.models import Override
from billing.overrides import override_words
from tenants.models import Tenant


class EndingFilter(admin.SimpleListFilter):
    """Overrides that end within a week; in the list of tenants, those who have one."""

    title = _("extra amounts")
    parameter_name = "extra"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("ending", _("Ending within a week"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() != "ending":
            return queryset
        ending = Override.objects.ending(timezone.now())
        if queryset.model is Tenant:
            return queryset.filter(pk__in=ending.values("tenant"))
        return queryset.filter(pk__in=ending.values("pk"))


@admin.register(Override)
class OverrideAdmin(TenantSearch[Override], HistoryAdmin):
    form = OverrideForm
    list_display = ("tenant", "metric", "mode", "units", "reason", "author", "starts", "ends")
    list_select_related = ("tenant", "metric", "author")
    list_filter = (EndingFilter, "metric", "mode")
    ordering = ("-pk",)
    autocomplete_fields = ("tenant",)
    show_full_result_count = False

    def save_model(self, request: HttpRequest, obj: Override, form: Any, change: bool) -> None:
        if not change:
            obj.author = person(request)
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


class OverrideInline(ChosenOnce[Override, Tenant], admin.StackedInline[Override, Tenant]):
    model = Override
    form = OverrideForm
    fields = (("metric", "mode"), "units", "reason", ("starts", "ends"), "author")
    readonly_fields = ("author",)
    extra = 0
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Override]:
        return super().get_queryset(request).select_related("metric", "author", "tenant")


def saved_overrides(formset: BaseInlineFormSet[Override, Tenant, Any]) -> list[str]:
    """What a saved formset did, one line each."""
    saved = [*formset.new_objects, *(one for one, _fields in formset.changed_objects)]
    lines = [f"Override: {override_words(one)}" for one in saved]
    return lines + [f"Override removed: {override_words(one)}" for one in formset.deleted_objects]
