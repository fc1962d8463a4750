"""What the audit page is asked for: whose acts, on which tenant, of what kind, on which days."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.timezone import get_current_timezone, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.models import AuditEntry, Tenant, User
from usage.reports.audit_page import NAMES, Asked

DATE = {"class": "in s", "type": "date"}


class AuditForm(forms.Form):
    """The filters; empty ones let everything through, one that names nothing says so."""

    tenant = forms.CharField(
        required=False,
        max_length=63,
        label=gettext_lazy("Tenant"),
        widget=forms.TextInput(attrs={"class": "in s", "placeholder": gettext_lazy("Slug")}),
    )
    person = forms.CharField(
        required=False,
        max_length=254,
        label=gettext_lazy("Person"),
        widget=forms.TextInput(attrs={"class": "in s", "placeholder": gettext_lazy("E-mail")}),
    )
    kind = forms.ChoiceField(
        required=False,
        label=gettext_lazy("Act"),
        choices=[("", gettext_lazy("All acts")), *NAMES.items()],
        widget=forms.Select(attrs={"class": "in s"}),
    )
    first = forms.DateField(
        required=False,
        label=gettext_lazy("From"),
        widget=forms.DateInput(attrs=DATE, format="%Y-%m-%d"),
    )
    last = forms.DateField(
        required=False,
        label=gettext_lazy("Until"),
        widget=forms.DateInput(attrs=DATE, format="%Y-%m-%d"),
    )

    def clean_tenant(self) -> Tenant | None:
        slug: str = self.cleaned_data["tenant"].strip().lower()
        found = Tenant.objects.filter(slug=slug).first() if slug else None
        if slug and found is None:
            raise forms.ValidationError(_("No tenant has the slug “%s”.") % slug)
        return found

    def clean_person(self) -> User | None:
        email: str = self.cleaned_data["person"].strip().lower()
        found = User.objects.filter(email=email).first() if email else None
        if email and found is None:
            raise forms.ValidationError(_("Nobody has the address “%s”.") % email)
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        first, last = data.get("first"), data.get("last")
        if first and last and last < first:
            self.add_error("last", _("It ends before it begins: choose a later day."))
        return data

    def asked(self) -> Asked:
        """The filters as the report takes them; days are those of the reader's time zone. Call it when valid."""
        found, last = self.cleaned_data, self.cleaned_data["last"]
        return Asked(
            tenant=found["tenant"],
            person=found["person"],
            kind=AuditEntry.Action(found["kind"]) if found["kind"] else None,
            since=_midnight(found["first"]) if found["first"] else None,
            until=_midnight(last + timedelta(days=1)) if last else None,
        )


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time()), get_current_timezone())
