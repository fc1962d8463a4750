"""Rows of a form that name a tenant or a person: chosen by typing once, said in words from then on."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django import forms
from django.db.models import Model
from django.forms.renderers import BaseRenderer
from django.utils.html import escape
from django.utils.safestring import SafeString

Row = TypeVar("Row", bound=Model)


class Said(forms.Widget):
    """Words in place of an input."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        return escape(self.words)


class NamedRow(forms.ModelForm[Row]):
    """A row whose `named` field stays what it was chosen to be: another one is another row.

    An input for it would ask the database for its words, row by row; the formset has them at hand.
    """

    named: ClassVar[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and self.named in self.fields:
            field = self.fields[self.named]
            field.disabled, field.widget = True, Said(str(getattr(self.instance, self.named)))


class UserRow(NamedRow[Row]):
    named = "user"


class TenantRow(NamedRow[Row]):
    named = "tenant"
