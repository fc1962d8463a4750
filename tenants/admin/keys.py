"""API keys: made here with a secret that is shown once, revoked here, never changed or deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tenants.admin.confirmation import ask, is_confirmed
from tenants.admin.recording import RecordedAdmin
from tenants.admin.searching import CappedPaginator, any_of, some
from tenants.audit import Action, record
from tenants.keys import revoke_key, seal
from tenants.models import ApiKey, Tenant, User

# What may be seen of a key; its digest is of no use to anybody.
SHOWN = (
    "prefix",
    "scope",
    "created_at",
    "created_by",
    "expires_at",
    "last_used_at",
    "revoked_at",
    "revoked_by",
)


class NewKeyForm(forms.ModelForm[ApiKey]):
    class Meta:
        model = ApiKey
        fields = ("tenant", "name", "expires_at")
        help_texts = {
            "tenant": gettext_lazy("Empty = a service key: it acts for each tenant that X-Tenant-ID names."),
            "expires_at": gettext_lazy("UTC; empty = it is good until it is revoked."),
        }

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise ValidationError(_("This time is over: choose a later one, or none."))
        return expires_at


@admin.register(ApiKey)
class ApiKeyAdmin(RecordedAdmin[ApiKey]):
    list_display = ("name", "prefix", "tenant", "scope", "state", "created_at", "last_used_at")
    list_select_related = ("tenant",)
    list_filter = ("scope", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("prefix",)  # by how it begins, or by words of the tenant: see get_search_results
    search_help_text = gettext_lazy("How a key begins, a tenant's id, or how words of its name or slug begin")
    paginator = CappedPaginator
    autocomplete_fields = ("tenant",)
    ordering = ("-pk",)
    show_full_result_count = False
    actions = ("revoke",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ApiKey], search_term: str
    ) -> tuple[QuerySet[ApiKey], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        prefix = text.removeprefix("hr_").rstrip("…").lower()
        found = (
            ApiKey.objects.filter(tenant__in=some(Tenant.objects.matching(text))),
            ApiKey.objects.filter(prefix__startswith=prefix),
        )
        return any_of(queryset, *found), False

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return _("revoked")
        has_expired = key.expires_at is not None and key.expires_at <= timezone.now()
        return _("expired") if has_expired else _("good")

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[ApiKey]]:
        return super().get_form(request, obj, change, **(kwargs if obj else {**kwargs, "form": NewKeyForm}))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("tenant", "name", *SHOWN) if obj else ("tenant", "name", "expires_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        return ("tenant", *SHOWN) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who used which key stays known; a key is revoked instead."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            obj.secret = seal(obj)
            obj.created_by = cast(User, request.user)
        super().save_model(request, obj, form, change)
        if not change and obj.tenant is not None:
            words = {"name": obj.name, "key": obj.beginning}
            record(obj.tenant, Action.KEY_CREATED, actor=obj.created_by, at=obj.created_at, **words)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The only page that shows the secret; it is in no message, session or log."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("Copy this key now"),
            "opts": self.opts,
            "key": obj,
        }
        response = TemplateResponse(request, "admin/tenants/new_key.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    @admin.action(description=gettext_lazy("Revoke the chosen keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> HttpResponse | None:
        if not is_confirmed(request):
            text = _("Programs that use them are refused within 5 seconds. This can't be undone.")
            return ask(self, request, rows, title=_("Revoke these keys?"), text=text, action="revoke")
        keys = [key for key in rows if key.revoked_at is None]
        for key in keys:
            revoke_key(key, timezone.now(), cast(User, request.user))
            self.log_change(request, key, _("Revoked."))
        text = ngettext("%d key was revoked.", "%d keys were revoked.", len(keys))
        self.message_user(request, text % len(keys))
        return None
