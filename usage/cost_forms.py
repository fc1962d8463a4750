"""What the cost page is asked for."""

from __future__ import annotations

from django import forms

from usage.reports.cost_choice import Asked


class CostsForm(forms.Form):
    """The page's selects, its sorting and its page; what can't be read counts for nothing."""

    month = forms.RegexField(r"^\d{4}-\d{2}$", required=False)
    version = forms.RegexField(r"^\d{1,18}$", required=False)
    provider = forms.CharField(max_length=60, required=False)
    only = forms.RegexField(r"^[a-z]{1,10}$", required=False)
    sort = forms.RegexField(r"^-?[a-z0-9]{1,10}$", required=False)
    page = forms.IntegerField(min_value=1, max_value=1_000_000, required=False)

    def asked(self) -> Asked:
        self.full_clean()
        known = self.cleaned_data
        words = {name: known.get(name) or "" for name in ("month", "version", "provider", "only", "sort")}
        return Asked(**words, page=known.get("page") or 1)


class AnewForm(forms.Form):
    """A closed month to be divided anew, and why."""

    month = forms.DateField(input_formats=["%Y-%m"])
    reason = forms.CharField(max_length=200)
