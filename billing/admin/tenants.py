"""Tenants in the admin with what they may use; what counting must know of an edit is told."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.admin.cap_page import cap_page, caps_in_words
from billing.admin.overrides import EndingFilter, OverrideInline, saved_overrides
from billing.admin.plan_page import plan_page, words
from billing.admin.subscriptions import SubscriptionInline, begin
from billing.admin.telling import tell
from billing.closings import statuses_changed
from billing.courses import course
from billing.models import Override, Subscription
from tenants.admin import TenantAdmin as PlainTenantAdmin
from tenants.models import Tenant

admin.site.unregister(Tenant)


@admin.register(Tenant)
class TenantAdmin(PlainTenantAdmin):
    """The tenant with what it may use; what its counts must know is told to them."""

    search_help_text = "A tenant's id, or how words of its name or slug begin"
    change_form_template = "admin/billing/tenant_form.html"

    def get_urls(self) -> list[URLPattern]:
        pages = {"plan": plan_page, "cap": cap_page}
        mine = [
            path(
                f"<int:object_id>/{name}/",
                self.admin_site.admin_view(partial(page, self)),
                name=f"tenants_tenant_{name}",
            )
            for name, page in pages.items()
        ]
        return [*mine, *super().get_urls()]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), EndingFilter]

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        fields = super().get_fields(request, obj)
        return (*fields, "plan_now", "caps_now") if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "plan_now", "caps_now") if obj else fields

    @admin.display(description=_("Plan"))
    def plan_now(self, tenant: Tenant) -> str:
        """The plan, and what is scheduled."""
        return words(course(tenant, timezone.now()))

    @admin.display(description=_("Spend caps"))
    def caps_now(self, tenant: Tenant) -> str:
        """What stops or tells where, beyond the plan."""
        return caps_in_words(tenant)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [*super().get_inlines(request, obj), SubscriptionInline, OverrideInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tenant], search_term: str
    ) -> tuple[QuerySet[Tenant], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=Tenant.objects.matching(search_term).values("pk")), False

    def status_changed(self, request: HttpRequest, tenants: Sequence[Tenant]) -> None:
        statuses_changed(tenants, timezone.now())
        if tenants:
            tell(request, [one.pk for one in tenants], f"Tenant is {tenants[0].get_status_display().lower()}")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        reasons = [] if change else ["Tenant added"]
        if change and "anchor_day" in form.changed_data:
            reasons.append(f"Periods begin on day {form.instance.anchor_day} from the next one on")
        for formset in formsets:
            if formset.model is Override:
                reasons += saved_overrides(formset)
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
