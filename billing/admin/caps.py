"""Spend caps in the admin: all of them, and how each came about; they are set on their tenant's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from billing.admin.confirmation import HistoryAdmin
from billing.admin.reading import TenantSearch
from billing.models import SpendCap
from tenants.admin.searching import CappedPaginator


@admin.register(SpendCap)
class SpendCapAdmin(TenantSearch[SpendCap], HistoryAdmin):
    list_display = ("tenant", "side", "mode", "amount", "author", "since")
    list_select_related = ("tenant", "author")
    list_filter = ("side", "mode")
    ordering = ("-pk",)
    paginator = CappedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
