"""What was counted and told, to look at in the admin; thresholds to edit, and given-up deliveries to send again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing.admin import cap_page, confirmation
from billing.admin.reading import ChosenOnce, ReadOnlyAdmin, TenantSearch
from billing.admin.tenants import TenantAdmin as BilledTenantAdmin
from tenants.admin.recording import RecordedAdmin
from tenants.models import Tenant
from usage.alerts.resend import resend
from usage.amounts import money
from usage.models import Alert, AlertChoice, Delivery, Notice, Standing, Threshold
from usage.money.bills import overage_so_far
from usage.reports.over import over_limit

confirmation.consequences = over_limit
cap_page.spent = overage_so_far
admin.site.site_header = admin.site.site_title = _("Headroom")
admin.site.index_title = _("Operations")


@admin.register(Threshold)
class ThresholdAdmin(TenantSearch[Threshold], RecordedAdmin[Threshold]):
    list_display = ("tenant", "metric", "percents")
    list_select_related = ("tenant", "metric")
    autocomplete_fields = ("tenant",)
    show_full_result_count = False


class ThresholdInline(ChosenOnce[Threshold, Tenant], admin.TabularInline[Threshold, Tenant]):
    model = Threshold
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Threshold]:
        return super().get_queryset(request).select_related("tenant", "metric")


class AlertChoiceInline(admin.StackedInline[AlertChoice, Tenant]):
    """What is not to be told of the tenant; operations pause its alerts here."""

    model = AlertChoice
    fields = ("tells_refusals", "tells_billing", "paused_until", "pause_reason")
    extra = 0
    max_num = 1


admin.site.unregister(Tenant)


@admin.register(Tenant)
class TenantAdmin(BilledTenantAdmin):
    """The tenant with what it may use and when it wants to hear of it."""

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [*super().get_inlines(request, obj), ThresholdInline, AlertChoiceInline]


class DeliveryInline(admin.TabularInline[Delivery, Alert]):
    model = Delivery
    fields = ("channel", "target", "status", "attempts", "due_at", "ended_at", "error")
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _amount(alert: Alert, number: int) -> str:
    """An alert about a spend cap counts cents."""
    is_money = alert.kind == Alert.Kind.CAP
    return money(Decimal(number).scaleb(-2)) if is_money else f"{number:,}"


@admin.register(Alert)
class AlertAdmin(TenantSearch[Alert], ReadOnlyAdmin[Alert]):
    list_display = ("at", "tenant", "metric", "kind", "percent", "use", "line", "is_sent")
    list_select_related = ("tenant", "metric")
    list_filter = ("kind", "is_sent", "metric")
    ordering = ("-pk",)
    inlines = [DeliveryInline]

    @admin.display(description=_("used"), ordering="used")
    def use(self, alert: Alert) -> str:
        return _amount(alert, alert.used)

    @admin.display(description=_("limit"), ordering="limit")
    def line(self, alert: Alert) -> str:
        return "–" if alert.limit is None else _amount(alert, alert.limit)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin[Delivery]):
    list_display = ("alert", "channel", "target", "status", "attempts", "created_at", "error")
    list_select_related = ("alert__tenant", "alert__metric")
    list_filter = ("status",)
    ordering = ("-alert_id", "channel", "target")  # in the order of an index; the newest alerts first
    search_fields = ("target__istartswith", "alert__tenant__slug__startswith")
    search_help_text = "How a receiver or a tenant's slug begins"
    actions = ("send_again",)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("usage.change_delivery"))

    @admin.action(description=_("Send again what was given up"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        count = resend(Delivery.objects.filter(pk__in=queryset.values("pk")), timezone.now())
        text = ngettext("%d delivery is sent again.", "%d deliveries are sent again.", count) % count
        self.message_user(request, text, messages.SUCCESS if count else messages.WARNING)


@admin.register(Notice)
class NoticeAdmin(TenantSearch[Notice], ReadOnlyAdmin[Notice]):
    """The staff inbox as rows; it is read and marked on its own page."""

    list_display = ("at", "tenant", "kind", "text", "seen_at", "seen_by")
    list_select_related = ("tenant", "seen_by")
    list_filter = ("kind",)
    ordering = ("-at", "-pk")


@admin.register(Standing)
class StandingAdmin(TenantSearch[Standing], ReadOnlyAdmin[Standing]):
    """Where tenants stand; the page “Tenants” shows it better."""

    list_display = (
        "tenant",
        "plan",
        "state",
        "worst",
        "fill",
        "overage",
        "refused",
        "last_used",
        "counted_at",
    )
    list_select_related = ("tenant", "plan", "worst")
    list_filter = ("state", "plan")
    ordering = ("-risk", "tenant_id")
