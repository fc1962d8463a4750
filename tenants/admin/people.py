"""People and what they may do in which tenant."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants.admin.recording import RecordedAdmin
from tenants.admin.rows import TenantRow
from tenants.admin.searching import CappedPaginator, any_of, some
from tenants.models import Membership, Tenant, User


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """An address, and a password only where the person shall not choose it by a reset link."""

    class Meta:
        model = User
        fields = ("email",)


class UserForm(UserChangeForm):  # type: ignore[type-arg]  # generic in the stubs alone
    class Meta:
        model = User
        fields = "__all__"


class BelongsToInline(admin.TabularInline[Membership, User]):
    """The tenants one person belongs to."""

    model = Membership
    form = TenantRow[Membership]
    fields = ("tenant", "role")
    autocomplete_fields = ("tenant",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("tenant", "user")


@admin.register(User)
class UserAdmin(RecordedAdmin[User], DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """People are found by e-mail; there are no user names."""

    form = UserForm
    add_form = NewUserForm
    list_display = ("email", "first_name", "last_name", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("email",)  # by words: see get_search_results
    search_help_text = _("How words of an address or a name begin")
    paginator = CappedPaginator
    ordering = ("email",)
    show_full_result_count = False
    inlines = (BelongsToInline,)
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "time_zone")}),
        (_("May"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        if not search_term.strip():
            return queryset, False
        return any_of(queryset, User.objects.matching(search_term)), False

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Only who exists can belong somewhere."""
        return self.inlines if obj else ()


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(RecordedAdmin[Group], DjangoGroupAdmin):
    """What members of the operations team may do, by group."""

    show_full_result_count = False


@admin.register(Membership)
class MembershipAdmin(RecordedAdmin[Membership]):
    list_display = ("user", "tenant", "role", "created_at")
    list_select_related = ("user", "tenant")
    list_filter = ("role",)
    search_fields = ("user__email",)  # by words of either: see get_search_results
    search_help_text = _("How words of a person's address or name, or of a tenant's name or slug begin")
    paginator = CappedPaginator
    autocomplete_fields = ("user", "tenant")
    ordering = ("-pk",)
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Membership], search_term: str
    ) -> tuple[QuerySet[Membership], bool]:
        if not search_term.strip():
            return queryset, False
        found = (
            Membership.objects.filter(tenant__in=some(Tenant.objects.matching(search_term))),
            Membership.objects.filter(user__in=some(User.objects.matching(search_term))),
        )
        return any_of(queryset, *found), False
