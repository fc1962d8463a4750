"""The spend cap of the tenant's owner: its card alone, and what is saved there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from billing.caps import lift_cap, set_cap
from billing.models import SpendCap
from tenants.access import tenant_page
from tenants.models import Membership
from tenants.requests import TenantRequest
from usage.cap_forms import CapForm
from usage.reports.cap import CapCard, Entry, cap_report, question
from usage.reports.readings import reading
from usage.views.tenant import here

OWNER, ADMIN = Membership.Role.OWNER, Membership.Role.ADMIN


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@tenant_page(ADMIN)
def cap(request: TenantRequest, slug: str) -> HttpResponse:
    """The card; an owner saves a cap, after a question where it would refuse something at once."""
    at = timezone.now()
    if request.method != "POST":
        return _show(request, at)
    if not may_cap(request):
        raise PermissionDenied
    form = CapForm(request.POST)
    if not form.is_valid():
        return _show(request, at, _typed(form), status=422)
    if ask := _question(request, form, at):
        amount = str(form.cleaned_data["amount"])  # what a yes is to be about, however it was typed
        return _show(request, at, replace(_typed(form), amount=amount, question=ask))
    _save(request, form, at)
    if request.htmx:
        return _show(request, at, is_saved=True)
    messages.success(request, _("Saved. It acts within two seconds."))
    return redirect("usage:cap", slug=slug)


def may_cap(request: TenantRequest) -> bool:
    """Whether the reader sets the cap; who sees money but may not reads it."""
    return request.membership is not None and request.membership.reaches(OWNER)


def cap_card(request: TenantRequest, at: datetime, entry: Entry | None = None) -> CapCard:
    """The card as the reader of this request sees it."""
    read = reading(here(request), at)
    return cap_report(read, may_edit=may_cap(request), for_staff=request.is_viewing_as, entry=entry)


def _show(
    request: TenantRequest,
    at: datetime,
    entry: Entry | None = None,
    *,
    is_saved: bool = False,
    status: int = 200,
) -> HttpResponse:
    card = cap_card(request, at, entry)
    if is_saved:
        card = replace(card, entry=replace(card.entry, is_saved=True))
    if request.htmx:  # which swaps in no answer that says it failed
        return render(request, "usage/partials/cap.html", {"cap": card})
    return render(request, "usage/cap.html", {"cap": card}, status=status)


def _typed(form: CapForm) -> Entry:
    """What was typed, as it was, and what is wrong with it."""
    problems = {name: " ".join(map(str, errors)) for name, errors in form.errors.items()}
    return Entry(form.data.get("cap", ""), form.data.get("amount", ""), problems)


def _question(request: TenantRequest, form: CapForm, at: datetime) -> str:
    if form.is_lifting or form.is_confirmed:
        return ""
    return question(reading(here(request), at), form.cleaned_data["cap"], form.cleaned_data["amount"])


def _save(request: TenantRequest, form: CapForm, at: datetime) -> None:
    side, data = SpendCap.Side.OWNER, form.cleaned_data
    if form.is_lifting:
        lift_cap(here(request), side=side, at=at, actor=request.user)
    else:
        set_cap(here(request), side=side, mode=data["cap"], amount=data["amount"], at=at, actor=request.user)
