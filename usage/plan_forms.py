"""What the page of plans is asked when somebody decides."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import Plan


class WishForm(forms.Form):
    """The public plan that somebody wants."""

    plan = forms.ModelChoiceField(Plan.objects.public(), to_field_name="slug")


class DecisionForm(forms.Form):
    """A change of plan: the mark of what was shown, whether it is meant, and why."""

    seen = forms.CharField(required=False, max_length=400, widget=forms.HiddenInput)
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False, max_length=200, label=_("Why"), help_text=_("Kept, for those who ask later.")
    )

    @property
    def is_meant(self) -> bool:
        """Whether somebody agreed to what was shown, rather than asked to see it."""
        return self.is_valid() and self.cleaned_data["confirmed"] and bool(self.cleaned_data["seen"])
