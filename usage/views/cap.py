"""What is saved on the card of the spend cap, after a question where it would refuse something at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
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
from usage.reports.cap import Entry, question
from usage.reports.readings import reading
from usage.views.cost import cap_card, cost_page, may_cap
from usage.views.tenant import here

CARD = "usage/partials/cap.html"


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
@tenant_page(Membership.Role.ADMIN)
def cap(request: TenantRequest, slug: str) -> HttpResponse:
    """The card alone for HTMX, else the page it stands on; an owner saves a cap."""
    at = timezone.now()
    if request.method != "POST":
        return _show(request, at) if request.htmx else redirect(_page(slug))
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
    return redirect(_page(slug))


def _page(slug: str) -> str:
    return f"{reverse('usage:cost', args=[slug])}#cap"


def _show(
    request: TenantRequest,
    at: datetime,
    entry: Entry | None = None,
    *,
    is_saved: bool = False,
    status: int = 200,
) -> HttpResponse:
    if not request.htmx:
        return cost_page(request, at, entry, status=status)
    card = cap_card(request, reading(here(request), at), entry)
    if is_saved:
        card = replace(card, entry=replace(card.entry, is_saved=True))
    return render(
        request, CARD, {"cap": card}
    )  # with no status that says it failed: HTMX swaps none of these in


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
