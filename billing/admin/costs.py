"""Providers' bills in the admin: typed by hand, looked at, taken back. Each saving is a version, as an import is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db import models, transaction
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.costs.bills import TypedRow, spelled, type_bill, withdraw
from billing.focus_cells import YEARS
from billing.models import CostBill, CostRow
from billing.terms import plain
from tenants.admin.confirmation import ask, is_confirmed
from tenants.admin.recording import RecordedAdmin
from tenants.admin.searching import CappedPaginator
from tenants.models import User

MOST_ROWS = 120  # that fit into one form; more come as a file


class MonthInput(forms.DateInput):
    """The browser's own field for months; where it has none, one writes 2026-11."""

    input_type = "month"

    def __init__(self) -> None:
        super().__init__({"placeholder": "2026-11"}, format="%Y-%m")


class CostBillForm(forms.ModelForm[CostBill]):
    month = forms.DateField(
        widget=MonthInput(),
        input_formats=["%Y-%m", "%Y-%m-%d"],
        help_text=gettext_lazy("The calendar month (UTC) the bill is for, as 2026-11."),
    )

    class Meta:
        model = CostBill
        fields = ("provider", "month")

    def clean_provider(self) -> str:
        """As its other bills have it."""
        return spelled(self.cleaned_data["provider"])

    def clean_month(self) -> date:
        month: date = self.cleaned_data["month"]
        if month.year not in YEARS:
            raise forms.ValidationError(_("There is no bill of that year: write the month as 2026-11."))
        return month.replace(day=1)


class CostRowForm(forms.ModelForm[CostRow]):
    """A row; an amount that is there shows its cents, and no zeros that its column adds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            amount = self.instance.amount
            self.initial["amount"] = Decimal(max(plain(amount), f"{amount:.2f}", key=len))


class CostRowFormSet(BaseInlineFormSet[CostRow, CostBill, forms.ModelForm[CostRow]]):
    """The rows that stay, in their order; a new bill has at least one."""

    def clean(self) -> None:
        super().clean()
        if self.instance._state.adding and not any(self.errors) and not self.typed():
            raise forms.ValidationError(_("Type at least one row: a service and its amount."))

    def typed(self) -> list[TypedRow]:
        kept = [form for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        return [
            TypedRow(**{name: form.cleaned_data[name] for name in TypedRow._fields})
            for form in kept
            if form.has_changed() or form.instance.pk
        ]


class CostRowInline(admin.TabularInline[CostRow, CostBill]):
    model = CostRow
    form = CostRowForm
    formset = CostRowFormSet
    fields = ("service", "amount", "category", "sub_account")
    extra = 5
    # Four columns fit beside the admin's own menu.
    formfield_overrides = {models.CharField: {"widget": forms.TextInput({"size": 20})}}
    max_num = MOST_ROWS
    verbose_name_plural = gettext_lazy("Rows: a credit is negative, the sum is made by itself")

    # A row is part of its bill: who may write the bill may write its rows.
    def has_view_permission(self, request: HttpRequest, obj: CostBill | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: CostBill | None = None) -> bool:
        return obj is None or _is_open(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: CostBill | None = None) -> bool:
        return obj is None or _is_open(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: CostBill | None = None) -> bool:
        return obj is None or _is_open(request, obj)


def _is_open(request: HttpRequest, bill: CostBill) -> bool:
    """A typed bill that counts can be typed anew; one of a file is imported anew instead."""
    return bill.is_typed and bill.is_current and request.user.has_perm("billing.add_costbill")


@admin.register(CostBill)
class CostBillAdmin(RecordedAdmin[CostBill]):
    """Nothing is overwritten: saving makes the next version, and the former keeps its header."""

    list_display = ("provider", "month_name", "version", "is_current", "rows", "sum", "source", "author")
    list_select_related = ("author",)
    list_filter = ("is_current", "provider")
    search_fields = ("provider__istartswith",)
    search_help_text = gettext_lazy("How a provider's name begins")
    ordering = ("-imported_at", "-pk")
    paginator = CappedPaginator
    show_full_result_count = False
    actions = ("withdraw",)

    @admin.display(description=gettext_lazy("month"), ordering="month")
    def month_name(self, bill: CostBill) -> str:
        return f"{bill.month:%Y-%m}"

    @admin.display(description=gettext_lazy("sum"), ordering="total")
    def sum(self, bill: CostBill) -> str:
        return f"{bill.total:,.2f} {bill.currency}"

    def get_form(
        self, request: HttpRequest, obj: CostBill | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[CostBill]]:
        """Provider and month of a bill that exists stay: others would be another bill."""
        form = forms.ModelForm if obj else CostBillForm
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fields(self, request: HttpRequest, obj: CostBill | None = None) -> tuple[str, ...]:
        shown = ("version", "is_current", "rows", "sum", "source", "author", "imported_at") if obj else ()
        return ("provider", "month", *shown)

    def get_readonly_fields(self, request: HttpRequest, obj: CostBill | None = None) -> tuple[str, ...]:
        return self.get_fields(request, obj) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: CostBill | None) -> Any:
        """A file's rows may be a hundred thousand, and a former version has none."""
        return [CostRowInline] if obj is None or (obj.is_typed and obj.is_current) else []

    def has_change_permission(self, request: HttpRequest, obj: CostBill | None = None) -> bool:
        is_allowed = super().has_change_permission(request, obj)
        return is_allowed and (obj is None or _is_open(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: CostBill | None = None) -> bool:
        """What was reported from a bill must stay explainable: it is withdrawn instead."""
        return False

    def save_model(self, request: HttpRequest, obj: CostBill, form: Any, change: bool) -> None:
        """Nothing yet: the bill is written with its rows."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        rows: list[TypedRow] = []
        for formset in formsets:
            formset.save(commit=False)  # says what changed, for the log
            rows += formset.typed()
        author, old = cast(User, request.user), form.instance
        bill = type_bill(old.provider, old.month, rows, author=author, at=timezone.now())
        # The log and the page that follows speak of the version that was made.
        old.pk, old.version = bill.pk, bill.version

    def response_change(self, request: HttpRequest, obj: CostBill) -> HttpResponse:
        """Who saves and goes on, goes on with the version that was made."""
        response = super().response_change(request, obj)
        return redirect("admin:billing_costbill_change", obj.pk) if "_continue" in request.POST else response

    @admin.action(description=gettext_lazy("Withdraw the chosen bills"), permissions=["add"])
    def withdraw(self, request: HttpRequest, rows: Any) -> HttpResponse | None:
        current = rows.current()
        if not is_confirmed(request):
            text = _("Their months cost nothing at these providers until a bill is imported or typed again.")
            return ask(self, request, current, title=_("Withdraw these bills?"), text=text, action="withdraw")
        with transaction.atomic():
            bills = list(current.order_by("pk"))
            for bill in bills:
                made = withdraw(bill, author=cast(User, request.user), at=timezone.now())
                self.log_change(request, made, _("Withdrawn: it replaces version %d.") % bill.version)
        text = ngettext("%d bill was withdrawn.", "%d bills were withdrawn.", len(bills)) % len(bills)
        self.message_user(request, text)
        return None
