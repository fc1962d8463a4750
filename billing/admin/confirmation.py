"""Asks before a plan's terms change how many tenants that touches, and tells counting once it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import ngettext
from simple_history.admin import SimpleHistoryAdmin

from billing.changes import limits_changed, tenants_on
from billing.models import Plan
from billing.terms import Terms, cautions, differences, terms_of
from tenants.admin.recording import RecordedAdmin
from tenants.models import Tenant, User

# How many of the tenants have used more than the plan, as the transaction has it now, allows. Who counts use
# sets it: this floor does not know what was used. Without it the page says only how many tenants are touched.
Consequences = Callable[[Plan, QuerySet[Tenant], datetime], int]
consequences: Consequences | None = None

# What the form of the confirmation page must not send twice, or at all.
OWN_FIELDS = ("csrfmiddlewaretoken", "_confirmed")


@dataclass(frozen=True, slots=True)
class PlanEdit:
    """What an edit does to a plan and to how many; `over` is none where nobody counts."""

    plan: Plan
    lines: list[str]
    cautions: list[str]
    tenants: int
    over: int | None


class NotConfirmed(Exception):
    """The edit waits for a yes; raised after saving, for exact numbers, and undone with its transaction."""

    def __init__(self, edit: PlanEdit) -> None:
        super().__init__(f"{edit.plan}: {'; '.join(edit.lines)}")
        self.edit = edit


class HistoryAdmin(RecordedAdmin[Any], SimpleHistoryAdmin):  # type: ignore[misc]  # django-simple-history has no types
    """Shows who changed what; going back is an edit like any other, so that it is checked, asked and told."""

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def history_form_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            raise PermissionDenied
        response: HttpResponse = super().history_form_view(request, *args, **kwargs)
        return response


class ConfirmedAdmin(HistoryAdmin):
    """An admin page whose saving may change a plan's terms."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        except NotConfirmed as waiting:
            return self._ask(request, waiting.edit)
        return response

    def settle(self, request: HttpRequest, plan: Plan, before: Mapping[str, Terms]) -> None:
        """When all of an edit is saved: ask or, once confirmed, tell counting. Raises NotConfirmed."""
        at, lines = timezone.now(), differences(before, terms_of(plan))
        if not lines:
            return
        tenants = tenants_on(plan, at)
        if "_confirmed" not in request.POST and (count := tenants.count()):
            over = consequences(plan, tenants, at) if consequences else None
            raise NotConfirmed(PlanEdit(plan, lines, cautions(plan), count, over))
        reason = f"Plan {plan}: {'; '.join(lines)}"
        count = limits_changed(tenants, reason=reason, at=at, actor=cast(User, request.user))
        text = ngettext("%d tenant feels it within seconds.", "%d tenants feel it within seconds.", count)
        self.message_user(request, f"{reason}. {text % count}")
        for caution in cautions(plan):
            self.message_user(request, caution, messages.WARNING)

    def _ask(self, request: HttpRequest, edit: PlanEdit) -> TemplateResponse:
        sent = [(name, value) for name, values in request.POST.lists() for value in values]
        context = {
            **self.admin_site.each_context(request),
            "title": f"Change what {edit.plan} gives?",
            "opts": self.opts,
            "edit": edit,
            "sent": [(name, value) for name, value in sent if name not in OWN_FIELDS],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/billing/confirm.html", context)
