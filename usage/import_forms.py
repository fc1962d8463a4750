"""What the page of imports is asked: a file, and whose bill it is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.costs.bills import spelled

MOST_UPLOADED = 50 * 1024 * 1024


class BillForm(forms.Form):
    """A provider's bill; the provider is for files whose rows do not name it."""

    file = forms.FileField(
        label=gettext_lazy("Bill"),
        allow_empty_file=True,  # reading it says so, as of every other file that is none
        error_messages={"required": gettext_lazy("Choose a file.")},
    )
    provider = forms.CharField(
        label=gettext_lazy("Provider"), required=False, max_length=60, strip=True, empty_value=""
    )

    def clean_file(self) -> UploadedFile[Any]:
        file: UploadedFile[Any] = self.cleaned_data["file"]
        size = file.size or 0
        if size > MOST_UPLOADED:
            text = _(
                "This file has %(size)s, at most %(most)s can be sent: pack it with gzip, or use import_costs."
            )
            sizes = {"size": filesizeformat(size), "most": filesizeformat(MOST_UPLOADED)}
            raise forms.ValidationError(text % sizes)
        return file

    def clean_provider(self) -> str:
        """As its other bills have it."""
        return spelled(self.cleaned_data["provider"])
