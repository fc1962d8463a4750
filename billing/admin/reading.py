"""What keeps admin pages quick: lists that count no further than they must, selects that read their choices once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Field, Model, QuerySet
from django.forms import Field as FormField
from django.forms import ModelChoiceField
from django.http import HttpRequest

from tenants.admin.recording import RecordedAdmin
from tenants.admin.searching import CappedPaginator, some
from tenants.models import Tenant

Row = TypeVar("Row", bound=Model)
Parent = TypeVar("Parent", bound=Model)

# Where a list finds a tenant's rows beside others; tenants are many, their slugs begin as their names do.
TENANT_SEARCH = ("tenant__slug__startswith", "tenant__name__istartswith")
TENANT_SEARCH_HELP = "A tenant's id, or how words of its name or slug begin"


class TenantSearch(admin.ModelAdmin[Row]):
    """Rows are found by words of their tenant's name or slug, or by its id: from the index of tenants.

    By its own columns joined in, a list in another order would be read until enough of the tenant's rows were found.
    """

    search_fields = TENANT_SEARCH
    search_help_text = TENANT_SEARCH_HELP

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Row], search_term: str
    ) -> tuple[QuerySet[Row], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(tenant__in=some(Tenant.objects.matching(search_term))), False


class ReadOnlyAdmin(RecordedAdmin[Row]):
    """A list to look at: nothing is added, changed or deleted by hand."""

    paginator = CappedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False


class ChosenOnce(InlineModelAdmin[Row, Parent]):
    """Rows with a select of metrics or plans: read once for all rows, and without buttons that edit those."""

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, ModelChoiceField) and db_field.name in ("metric", "plan"):
            field.widget = cast(RelatedFieldWidgetWrapper, field.widget).widget
            # Over `iter`, which has no length: `list` would count the rows first, by a query of its own.
            field.choices = list(iter(cast(Iterable[Any], field.choices)))
        return field
