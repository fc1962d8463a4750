"""The page of plans: what another plan would do, asking for one, switching, cancelling, and taking that back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from billing.courses import Course, NothingChanges, course
from billing.models import Plan
from billing.subscriptions import Outdated, cancel, change_plan, withdraw
from tenants.access import tenant_page
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.plan_forms import DecisionForm, WishForm
from usage.reports.decided import cancelled, changed, withdrawn
from usage.reports.deciding import is_self_service
from usage.reports.plans import Choice, PlanReport, plan_report
from usage.views.tenant import here
from usage.wishes import ask_for_plan

PAGE = "usage/plan.html"
OWNER, ADMIN = Membership.Role.OWNER, Membership.Role.ADMIN


@require_safe
@vary_on_headers("HX-Request")
@tenant_page()
def plan(request: TenantRequest, slug: str) -> HttpResponse:
    """The plans side by side; with `to` or `end` in the address what that choice would do, alone for HTMX."""
    choice = _choice(request)
    try:
        report = _report(request, choice)
    except NothingChanges as error:
        messages.warning(request, str(error))
        return redirect("usage:plan", slug=slug)
    return render(request, f"{PAGE}#effect" if request.htmx else PAGE, {"report": report})


@require_POST
@vary_on_headers("HX-Request")
@tenant_page(ADMIN)
def ask_plan(request: TenantRequest, slug: str) -> HttpResponse:
    """Ask operations for a plan; asking twice is asking once."""
    wanted = _wanted(request.POST.get("plan", ""))
    ask_for_plan(here(request), wanted, person=request.user, at=timezone.now())
    if request.htmx:
        return render(request, f"{PAGE}#plans", {"report": _report(request)})
    messages.success(request, _("Asked for %(plan)s. Operations will answer.") % {"plan": wanted.name})
    return redirect("usage:plan", slug=slug)


@require_POST
@vary_on_headers("HX-Request")
@tenant_page(OWNER)
def switch_plan(request: TenantRequest, slug: str) -> HttpResponse:
    """Put the tenant on a public plan; without a yes, show what that does."""
    wanted = _wanted(request.POST.get("plan", ""))
    do = partial(change_plan, plan=wanted)
    return _decide(request, lambda **why: changed(do(here(request), **why)), shown={"to": wanted.slug})


@require_POST
@vary_on_headers("HX-Request")
@tenant_page(OWNER)
def cancel_plan(request: TenantRequest, slug: str) -> HttpResponse:
    """Let the plan end with the period; without a yes, show what that does."""
    return _decide(request, lambda **why: cancelled(cancel(here(request), **why)), shown={"end": "1"})


@require_POST
@vary_on_headers("HX-Request")
@tenant_page(OWNER)
def withdraw_plan(request: TenantRequest, slug: str) -> HttpResponse:
    """Take back what is scheduled."""
    return _decide(request, lambda **why: withdrawn(withdraw(here(request), **why)), shown={})


def _decide(request: TenantRequest, do: Callable[..., str], *, shown: dict[str, str]) -> HttpResponse:
    """Do it and say what happened; without a yes, or where something else would happen by now, show it (again)."""
    form, at = DecisionForm(request.POST), timezone.now()
    if not is_self_service(course(here(request), at).plan):
        raise PermissionDenied
    if not form.is_meant:
        return _show(request, shown)
    try:
        text = do(
            at=at, actor=request.user, reason=form.cleaned_data["reason"], as_shown=form.cleaned_data["seen"]
        )
    except NothingChanges as error:
        messages.warning(request, str(error))
    except Outdated as error:
        messages.warning(request, _("%(what)s Look again: nothing was done.") % {"what": error})
        return _show(request, shown)
    else:
        messages.success(request, text)
    return _show(request, {})


def _show(request: TenantRequest, shown: dict[str, str]) -> HttpResponse:
    """All parts of the page that a decision may have changed, with the choice that is still open."""
    if not request.htmx:
        address = reverse("usage:plan", kwargs={"slug": here(request).slug})
        return redirect(f"{address}?{urlencode(shown)}#effect" if shown else address)
    try:
        report = _report(request, _chosen(shown))
    except NothingChanges as error:
        messages.warning(request, str(error))
        report = _report(request)
    return render(request, f"{PAGE}#decided", {"report": report, "is_poll": True})


def _report(request: TenantRequest, choice: Choice | None = None) -> PlanReport:
    return plan_report(
        here(request),
        timezone.now(),
        with_money=request.sees_money,
        reader=request.membership,
        choice=choice,
    )


def _wanted(slug: str) -> Plan:
    """The public plan of this slug; a button or a link names no other."""
    form = WishForm({"plan": slug})
    if not form.is_valid():
        raise Http404("There is no such plan.")
    wanted: Plan = form.cleaned_data["plan"]
    return wanted


def _choice(request: TenantRequest) -> Choice | None:
    """What the address asks about."""
    return _chosen({name: request.GET[name] for name in ("to", "end") if request.GET.get(name)})


def _chosen(shown: dict[str, Any]) -> Choice | None:
    if "end" in shown:
        return Course.ended
    if "to" not in shown:
        return None
    wanted = _wanted(shown["to"])
    return lambda now: now.changed_to(wanted)
