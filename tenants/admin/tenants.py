"""Tenants with their people and keys; suspending and closing them, and the day their periods begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tenants.admin.confirmation import ask, is_confirmed
from tenants.admin.keys import SHOWN
from tenants.admin.recording import RecordedAdmin
from tenants.admin.rows import UserRow
from tenants.anchors import change_anchor
from tenants.models import ApiKey, Membership, Tenant

Status = Tenant.Status


class MembersInline(admin.TabularInline[Membership, Tenant]):
    """The people who belong to a tenant."""

    model = Membership
    form = UserRow[Membership]
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "tenant")


class KeysInline(admin.TabularInline[ApiKey, Tenant]):
    """A tenant's keys, to look at; they are made and revoked on pages of their own."""

    model = ApiKey
    fields = ("name", *SHOWN)
    readonly_fields = fields
    extra = 0
    show_change_link = True
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).select_related("created_by", "revoked_by")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Tenant)
class TenantAdmin(RecordedAdmin[Tenant]):
    """The floor above extends this: it counts, so it overrides `status_changed`."""

    list_display = ("name", "slug", "status", "anchor_day", "created_at")
    list_filter = ("status",)
    search_fields = ("slug", "name")
    ordering = ("name", "pk")
    show_full_result_count = False
    inlines = (MembersInline, KeysInline)
    actions = ("suspend", "close", "reactivate")
    change_form_template = "admin/tenants/tenant/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "slug", "anchor_day", "time_zone")
        return ("name", "slug", "status", "anchor_day", "time_zone", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """Addresses and service keys name the slug; the status is changed by actions, which ask first."""
        return ("slug", "status", "created_at") if obj else ()

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Tenant | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """A tenant has to exist before keys can belong to it."""
        return [inline for inline in self.inlines if obj or inline is not KeysInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What a tenant used and paid stays known; it is closed instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if change and "anchor_day" in form.changed_data:
            day, obj.anchor_day = obj.anchor_day, form.initial["anchor_day"]
            change_anchor(obj, day, timezone.now())
            if obj.anchor_since is not None:
                text = _("The period that runs ends on %(date)s; later ones begin on day %(day)d.")
                self.message_user(request, text % {"date": date_format(obj.anchor_since), "day": day})
        super().save_model(request, obj, form, change)

    def status_changed(self, request: HttpRequest, tenants: Sequence[Tenant]) -> None:
        """Called in the transaction that suspended, closed or reactivated `tenants`; nothing to do down here."""

    @admin.action(description=gettext_lazy("Suspend the chosen tenants"), permissions=["change"])
    def suspend(self, request: HttpRequest, rows: QuerySet[Tenant]) -> HttpResponse | None:
        text = _("Their programs are refused within seconds; their people still see their pages.")
        return self._set_status(request, rows, Status.SUSPENDED, "suspend", _("Suspend these tenants?"), text)

    @admin.action(description=gettext_lazy("Close the chosen tenants"), permissions=["change"])
    def close(self, request: HttpRequest, rows: QuerySet[Tenant]) -> HttpResponse | None:
        text = _("Their keys open nothing and their people no longer see them. What they used stays known.")
        return self._set_status(request, rows, Status.CLOSED, "close", _("Close these tenants?"), text)

    @admin.action(description=gettext_lazy("Reactivate the chosen tenants"), permissions=["change"])
    def reactivate(self, request: HttpRequest, rows: QuerySet[Tenant]) -> HttpResponse | None:
        text = _("Their programs and people may use everything again, within seconds.")
        return self._set_status(
            request, rows, Status.ACTIVE, "reactivate", _("Reactivate these tenants?"), text
        )

    def _set_status(
        self,
        request: HttpRequest,
        rows: QuerySet[Tenant],
        status: Tenant.Status,
        action: str,
        title: str,
        text: str,
    ) -> HttpResponse | None:
        if not is_confirmed(request):
            return ask(self, request, rows, title=title, text=text, action=action)
        with transaction.atomic():
            tenants = list(rows.exclude(status=status).order_by("pk").select_for_update())
            for tenant in tenants:
                tenant.status = status
                tenant.save(update_fields=["status"])
                self.log_change(request, tenant, _("Now %s.") % status.label)
            self.status_changed(request, tenants)
        text = ngettext("%(n)d tenant is now %(status)s.", "%(n)d tenants are now %(status)s.", len(tenants))
        self.message_user(request, text % {"n": len(tenants), "status": status.label.lower()})
        return None
