"""Subscriptions in the admin: who is on which plan since when, who put it there and why; each change is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.admin.reading import ChosenOnce, TenantSearch
from billing.admin.telling import person, tell
from billing.admin.tenant_forms import SubscriptionEndForm, SubscriptionForm
from billing.changes import Kind
from billing.models import Subscription
from billing.subscriptions import remove, schedule, subscribe
from billing.terms import moment
from tenants.admin.recording import RecordedAdmin
from tenants.models import Tenant


def begin(request: HttpRequest, one: Subscription) -> Subscription:
    """Start the subscription of a form; the one before it ends."""
    at = timezone.now()
    if one.starts > at:
        return schedule(
            one.tenant, one.plan, begins=one.starts, at=at, actor=person(request), reason=one.reason
        )
    begun = f"On plan {one.plan} from {moment(one.starts)}"
    reason = f"{begun}: {one.reason}" if one.reason else begun
    return subscribe(one.tenant, one.plan, at=one.starts, actor=person(request), reason=reason)


class ComingFilter(admin.SimpleListFilter):
    """What is scheduled: subscriptions that have yet to begin, and those that will end."""

    title = _("scheduled")
    parameter_name = "scheduled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [("begins", _("Has yet to begin")), ("ends", _("Will end"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> QuerySet[Subscription]:
        if self.value() not in ("begins", "ends"):
            return queryset
        column = "starts" if self.value() == "begins" else "ends"
        return queryset.filter(**{f"{column}__gt": timezone.now()})


BEGINNING = ("tenant", "plan", "starts", "reason")


@admin.register(Subscription)
class SubscriptionAdmin(TenantSearch[Subscription], RecordedAdmin[Subscription]):
    list_display = ("tenant", "plan", "starts", "ends", "author", "reason")
    list_select_related = ("tenant", "plan", "author")
    list_filter = (ComingFilter, "plan")
    ordering = ("-pk",)
    autocomplete_fields = ("tenant",)
    show_full_result_count = False

    def get_form(
        self, request: HttpRequest, obj: Subscription | None = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Subscription]]:
        form = SubscriptionEndForm if obj else SubscriptionForm
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return (*BEGINNING, "author", "ends", "is_meant", "end_reason", "ended_by") if obj else BEGINNING

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return (*BEGINNING, "author", "ended_by") if obj else ()

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        if not change:
            obj.pk = begin(request, obj).pk
        elif form.has_changed():
            obj.ended_by = person(request) if obj.ends else None
            obj.end_reason = obj.end_reason if obj.ends else ""
            super().save_model(request, obj, form, change)
            until = f"On plan {obj.plan} until {moment(obj.ends)}"
            text = f"{until}: {obj.end_reason}" if obj.end_reason else until
            tell(request, [obj.tenant_id], text, Kind.CANCELLED if obj.ends else Kind.WITHDRAWN)

    def delete_model(self, request: HttpRequest, obj: Subscription) -> None:
        tenant, plan = obj.tenant_id, obj.plan
        remove([obj], at=timezone.now())
        tell(request, [tenant], f"Subscription to {plan} removed", Kind.PLAN)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        rows = list(queryset.select_related("tenant"))
        remove(rows, at=timezone.now())
        tell(request, [one.tenant_id for one in rows], "Subscription removed", Kind.PLAN)


class SubscriptionInline(ChosenOnce[Subscription, Tenant], admin.TabularInline[Subscription, Tenant]):
    """Shows them all; a new row begins one. An end is set on the subscription's own page."""

    model = Subscription
    form = SubscriptionForm
    fields = ("plan", "starts", "ends", "reason", "author")
    readonly_fields = ("ends", "author")
    extra = 0
    show_change_link = True
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return super().get_queryset(request).select_related("tenant", "plan", "author")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
