"""The admin's page that changes one tenant's plan: now or later, cancels it, or takes back what is scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.telling import person
from billing.courses import Course, NothingChanges, Scheduled, When, course
from billing.models import Plan
from billing.subscriptions import Outdated, cancel, change_plan, withdraw
from billing.terms import moment
from tenants.models import Tenant

LOOK_AGAIN = gettext_lazy("%(what)s Look again: nothing was saved.")


class PlanForm(forms.Form):
    """What to do, and why; `seen` is the mark of what the page showed."""

    do = forms.ChoiceField(label=gettext_lazy("What"), widget=forms.RadioSelect({"class": "radiolist"}))
    plan = forms.ModelChoiceField(
        Plan.objects.all(), required=False, help_text=gettext_lazy("Also plans that tenants are not shown.")
    )
    reason = forms.CharField(
        max_length=200,
        widget=forms.TextInput({"class": "vTextField"}),
        help_text=gettext_lazy("Kept, and shown to the tenant: “upgrade agreed, ticket 4711”."),
    )
    seen = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, now: Course, data: Mapping[str, str] | None = None) -> None:
        super().__init__(data, initial={"seen": now.mark})
        do = self.fields["do"]
        assert isinstance(do, forms.ChoiceField)
        do.choices = _choices(now)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("do") in ("now", "next") and not data.get("plan"):
            self.add_error("plan", _("Choose the plan to put the tenant on."))
        return data


def plan_page(page: ModelAdmin[Tenant], request: HttpRequest, object_id: str) -> HttpResponse:
    """Show where the tenant's plan goes, and change it."""
    if not (page.has_change_permission(request) and request.user.has_perm("billing.change_subscription")):
        raise PermissionDenied
    tenant, at = get_object_or_404(Tenant, pk=object_id), timezone.now()
    form = PlanForm(course(tenant, at), request.POST.dict() if request.method == "POST" else None)
    if form.is_valid() and _is_done(page, request, tenant, form, at):
        return redirect("admin:tenants_tenant_change", tenant.pk)
    context = {
        **page.admin_site.each_context(request),
        "title": _("Change the plan of %(tenant)s") % {"tenant": tenant},
        "opts": page.opts,
        "original": tenant,
        "form": form,
        "words": words(course(tenant, at)),
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, "admin/billing/plan_page.html", context)


def words(now: Course) -> str:
    """“Pro. From 1 Dec 2026, 00:00 UTC on Starter (olive@northwind.example: too large)”."""
    planned = now.scheduled
    return f"{now.plan}. {_planned(planned)}" if planned else str(now.plan)


def _planned(planned: Scheduled) -> str:
    begins = {"plan": planned.plan, "day": moment(planned.begins), "before": planned.before}
    text = _("%(before)s ends on %(day)s, then %(plan)s") if planned.is_end else _("From %(day)s on %(plan)s")
    who = ": ".join(part for part in (str(planned.author or ""), planned.reason) if part)
    return f"{text % begins} ({who})" if who else text % begins


def _choices(now: Course) -> list[tuple[str, str]]:
    """What can be done, with its day; only what would change something."""
    day = {"day": moment(now.turn), "plan": now.plan, "default": now.default}
    choices = [("now", _("On the plan below now")), ("next", _("On the plan below from %(day)s on") % day)]
    if now.plan.pk != now.default.pk:
        choices.append(("cancel", _("Cancel: %(plan)s ends on %(day)s, then %(default)s") % day))
    if now.scheduled:
        choices.append(("withdraw", _("Withdraw what is scheduled: %(plan)s goes on") % day))
    return choices


def _is_done(
    page: ModelAdmin[Tenant], request: HttpRequest, tenant: Tenant, form: PlanForm, at: datetime
) -> bool:
    """Whether it was done; what stands against it is said on the form."""
    try:
        with transaction.atomic():
            _do(request, tenant, form, at)
            page.log_change(request, tenant, _("Plan changed."))
    except NothingChanges as error:
        form.add_error(None, str(error))
    except Outdated as error:
        # With the mark of what the page shows now, so that the same again is agreed to.
        form.data = {**form.data, "seen": course(tenant, timezone.now()).mark}
        form.add_error(None, LOOK_AGAIN % {"what": error})
    else:
        page.message_user(request, words(course(tenant, timezone.now())))
        return True
    return False


def _do(request: HttpRequest, tenant: Tenant, form: PlanForm, at: datetime) -> None:
    given = form.cleaned_data
    why: dict[str, Any] = {
        "at": at,
        "actor": person(request),
        "reason": given["reason"],
        "as_shown": given["seen"],
    }
    if given["do"] == "cancel":
        cancel(tenant, **why)
    elif given["do"] == "withdraw":
        withdraw(tenant, **why)
    else:
        change_plan(tenant, given["plan"], when=When(given["do"]), **why)
