"""How bills are divided: rules in their order, and other names of tenants; a change first shows what it would move."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.messages.storage import default_storage
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.confirmation import OWN_FIELDS, HistoryAdmin
from billing.admin.reading import TENANT_SEARCH, ChosenOnce
from billing.costs.coverage import Coverage, coverage, differences
from billing.costs.division import driver_words
from billing.models import CostAlias, CostRule, CostWeight
from tenants.admin.rows import TenantRow


class Unconfirmed(Exception):
    """The edit waits for a yes; raised after saving, to show what it does, and undone with its transaction."""

    def __init__(self, lines: list[str], found: Coverage) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines
        self.found = found


class CostWeightInline(ChosenOnce[CostWeight, CostRule], admin.TabularInline[CostWeight, CostRule]):
    model = CostWeight
    form = TenantRow[CostWeight]
    extra = 0
    autocomplete_fields = ("tenant",)
    verbose_name_plural = gettext_lazy("Weights: of “by fixed weights” alone")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CostWeight]:
        return super().get_queryset(request).select_related("tenant")


@admin.register(CostRule)
class CostRuleAdmin(HistoryAdmin):
    """The list is their order, edited by position; “Test the rules” names what each service falls to."""

    change_list_template = "admin/billing/costrule/change_list.html"
    list_display = ("name", "position", "service", "provider", "others", "split")
    list_display_links = ("name",)
    list_editable = ("position",)
    list_select_related = ("metric",)
    ordering = ("position", "pk")
    inlines = [CostWeightInline]
    fieldsets = (
        (None, {"fields": ("name", "position")}),
        (
            gettext_lazy("Which charges"),
            {
                "fields": (("service", "provider"), ("sub_account", "category"), ("tag_key", "tag_value")),
                "description": gettext_lazy("* stands for anything, case does not count."),
            },
        ),
        (gettext_lazy("How they are split"), {"fields": ("driver", "metric", "sharing")}),
    )

    @admin.display(description=gettext_lazy("also"))
    def others(self, rule: CostRule) -> str:
        tag = f"{rule.tag_key}={rule.tag_value or '*'}" if rule.tag_key else ""
        return ", ".join(filter(None, (rule.sub_account, rule.category, tag))) or "–"

    @admin.display(description=gettext_lazy("split"))
    def split(self, rule: CostRule) -> str:
        return driver_words(rule)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """A new rule comes last."""
        last = CostRule.objects.aggregate(last=Max("position"))["last"] or 0
        return {"position": str(last + 1), **super().get_changeform_initial_data(request)}

    def get_urls(self) -> list[URLPattern]:
        own = path("test/", self.admin_site.admin_view(self.test_view), name="billing_costrule_test")
        return [own, *super().get_urls()]

    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Which rule each service of the newest bills falls to."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._page(request, "test", title=_("Test the rules"), found=coverage())

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = coverage() if request.method == "GET" and self.has_view_permission(request) else None
        context = {**(extra_context or {}), "found": found}
        return self._asking(request, partial(super().changelist_view, request, context))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        view = super().changeform_view
        return self._asking(request, partial(view, request, object_id, form_url, extra_context))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._asking(request, partial(super().delete_view, request, object_id, extra_context))

    def _asking(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """Do what the view does; where that moves a service, undo it and ask first."""
        if request.method != "POST":
            return view()
        try:
            with transaction.atomic():
                before, response = coverage(), view()
                self._settle(request, before)
        except Unconfirmed as waiting:
            # What the view said of its success is undone with it.
            request._messages = default_storage(request)  # type: ignore[attr-defined]
            sent = [(name, value) for name, values in request.POST.lists() for value in values]
            kept = [(name, value) for name, value in sent if name not in OWN_FIELDS]
            title = _("Divide these services in another way?")
            return self._page(request, "confirm", title=title, edit=waiting, sent=kept)
        return response

    def _settle(self, request: HttpRequest, before: Coverage | None) -> None:
        after = coverage()
        lines = differences(before, after)
        if after and lines:
            if "_confirmed" not in request.POST:
                raise Unconfirmed(lines, after)
            self.message_user(request, after.sentence)

    def _page(self, request: HttpRequest, name: str, **context: Any) -> TemplateResponse:
        request.current_app = self.admin_site.name
        page = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/billing/costrule/{name}.html", page)


@admin.register(CostAlias)
class CostAliasAdmin(HistoryAdmin):
    """How tags and sub-accounts call a tenant, beside its slug and id."""

    list_display = ("value", "tenant")
    list_select_related = ("tenant",)
    search_fields = ("value", *TENANT_SEARCH)
    search_help_text = gettext_lazy("A name, or how a tenant's slug or name begins")
    autocomplete_fields = ("tenant",)
    show_full_result_count = False
