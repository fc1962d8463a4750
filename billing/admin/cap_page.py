"""The admin's page that sets operations' spend cap of one tenant, after a question that says what it does now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.validators import MinValueValidator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.telling import person
from billing.caps import lift_cap, set_cap, words
from billing.models import SpendCap
from billing.periods import period_at
from billing.terms import moment
from tenants.models import Tenant

# What the tenant's use beyond its plan costs so far. Who counts use sets it: this floor does not know what was used.
Spent = Callable[[Tenant, datetime], Decimal]
spent: Spent | None = None

NONE = "none"
OPERATIONS = SpendCap.Side.OPERATIONS


class OperationsCapForm(forms.Form):
    """No cap, or one that tells or stops; `confirmed` holds what a question was about."""

    mode = forms.ChoiceField(
        choices=[(NONE, gettext_lazy("No cap of operations")), *SpendCap.Mode.choices],
        widget=forms.RadioSelect({"class": "radiolist"}),
        label=gettext_lazy("Cap"),
    )
    amount = forms.DecimalField(
        required=False,
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0))],
        help_text=gettext_lazy("Of use beyond the plan in a period; 0 stops all that would be billed."),
    )
    confirmed = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].label = f"{_('Amount')}, {settings.HEADROOM_CURRENCY}"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("mode") != NONE and data.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", _("Enter the amount."))
        return data

    @property
    def meant(self) -> str:
        """What is to be saved, as a yes has to repeat it."""
        mode, amount = self.cleaned_data["mode"], self.cleaned_data["amount"]
        return NONE if mode == NONE else f"{mode} {amount}"

    @property
    def is_confirmed(self) -> bool:
        return bool(self.cleaned_data["confirmed"] == self.meant)


def cap_page(page: ModelAdmin[Tenant], request: HttpRequest, object_id: str) -> HttpResponse:
    """Show the tenant's caps, and change that of operations once somebody has agreed to what it does."""
    if not (page.has_change_permission(request) and request.user.has_perm("billing.change_spendcap")):
        raise PermissionDenied
    tenant, at = get_object_or_404(Tenant, pk=object_id), timezone.now()
    own = SpendCap.objects.filter(tenant=tenant, side=OPERATIONS).first()
    data = request.POST.dict() if request.method == "POST" else None
    form = OperationsCapForm(data, initial=_initial(own))
    if form.is_valid() and form.is_confirmed:
        _save(page, request, tenant, form, at)
        return redirect("admin:tenants_tenant_change", tenant.pk)
    context = {
        **page.admin_site.each_context(request),
        "title": _("Spend cap of %(tenant)s") % {"tenant": tenant},
        "opts": page.opts,
        "original": tenant,
        "form": form,
        "words": caps_in_words(tenant),
        "consequences": consequences(tenant, form.cleaned_data, at)
        if form.is_bound and form.is_valid()
        else [],
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, "admin/billing/cap_page.html", context)


def caps_in_words(tenant: Tenant) -> str:
    """“Owner: stop billed use at 390.00 USD a period. Operations: none”."""
    caps = {cap.side: cap for cap in SpendCap.objects.filter(tenant=tenant)}
    sides = [(side.label, caps.get(side.value)) for side in SpendCap.Side]
    return ". ".join(f"{label}: {words(cap) if cap else _('none')}" for label, cap in sides)


def consequences(tenant: Tenant, wanted: Mapping[str, Any], at: datetime) -> list[str]:
    """What happens at once if this is saved, in sentences."""
    if wanted["mode"] == NONE:
        return [_("Operations stop nothing any more; a cap of the owner stays.")]
    amount, currency = wanted["amount"], settings.HEADROOM_CURRENCY
    so_far = spent(tenant, at) if spent else None
    lines = [_("The lower of the owner's and this cap counts; it begins anew with each period.")]
    if so_far is not None:
        text = _("Spent beyond the plan so far: %(sum)s %(currency)s.")
        lines.append(text % {"sum": f"{so_far:,.2f}", "currency": currency})
    if wanted["mode"] == SpendCap.Mode.STOP and so_far and amount <= so_far:
        until = moment(period_at(tenant, at).ends)
        text = _("Billable requests are refused at once until %(until)s. Included amounts keep working.")
        lines.append(text % {"until": until})
    return lines


def _initial(own: SpendCap | None) -> dict[str, Any]:
    return {"mode": own.mode, "amount": own.amount} if own else {"mode": NONE}


def _save(
    page: ModelAdmin[Tenant], request: HttpRequest, tenant: Tenant, form: OperationsCapForm, at: datetime
) -> None:
    mode, amount, actor = form.cleaned_data["mode"], form.cleaned_data["amount"], person(request)
    with transaction.atomic():
        if mode == NONE:
            lift_cap(tenant, side=OPERATIONS, at=at, actor=actor)
        else:
            set_cap(tenant, side=OPERATIONS, mode=mode, amount=amount, at=at, actor=actor)
        page.log_change(request, tenant, _("Spend cap changed."))
    page.message_user(request, f"{caps_in_words(tenant)}. {_('It acts within two seconds.')}")
