"""What the staff pages are asked: filters of the tenants' list, and which notices were seen."""

from __future__ import annotations

from django import forms

BIGGEST_ID = 2**63 - 1


class SeenForm(forms.Form):
    """One notice, or all up to the newest that the page showed; `after` is the page to go back to."""

    notice = forms.IntegerField(required=False, min_value=1, max_value=BIGGEST_ID)
    newest = forms.IntegerField(required=False, min_value=0, max_value=BIGGEST_ID)
    after = forms.CharField(required=False, max_length=500)

    def clean(self) -> dict[str, object]:
        data = super().clean() or self.cleaned_data
        if (data.get("notice") is None) == (data.get("newest") is None):
            raise forms.ValidationError("Name one notice, or the newest of all.")
        return data
