"""What the page of settings is asked: the tenant's name and zone, and the reader's own zone."""

from __future__ import annotations

from django import forms
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.zones import zone_named

# Names are offered while somebody types; without scripts they are typed whole.
ZONE = {
    "class": "in",
    "list": "zones",
    "autocomplete": "off",
    "spellcheck": "false",
    "hx-get": reverse_lazy("usage:zones"),
    "hx-trigger": "focus once, input changed delay:200ms",
    "hx-target": "#zones",
}


class OrganisationForm(forms.Form):
    """What the tenant is called, and the zone of who has not chosen one."""

    name = forms.CharField(
        max_length=120,
        label=gettext_lazy("Name"),
        widget=forms.TextInput(attrs={"class": "in", "autocomplete": "organization"}),
    )
    default_zone = forms.CharField(
        max_length=64,
        label=gettext_lazy("Time zone of its people"),
        help_text=gettext_lazy("For those who have not chosen one themselves."),
        widget=forms.TextInput(attrs=ZONE),
    )

    def clean_default_zone(self) -> str:
        return _zone(self.cleaned_data["default_zone"])


class ZoneForm(forms.Form):
    """The reader's own zone; empty for the tenant's."""

    time_zone = forms.CharField(
        max_length=64,
        required=False,
        label=gettext_lazy("Your time zone"),
        help_text=gettext_lazy("A place, as Europe/Berlin or New York. Empty: that of the organisation."),
        widget=forms.TextInput(attrs=ZONE),
    )

    def clean_time_zone(self) -> str:
        text: str = self.cleaned_data["time_zone"]
        return _zone(text) if text else ""


def _zone(text: str) -> str:
    name = zone_named(text)
    if name is None:
        raise forms.ValidationError(
            _("There is no time zone “%s”. Choose one, as Europe/Berlin or UTC.") % text
        )
    return name
