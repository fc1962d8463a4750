"""A form field for base units that also reads “5 GB”, and says below itself what its bytes are in MB."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models import Metric
from billing.quantities import NotAQuantity, is_size, parsed, spelled


class QuantityInput(forms.TextInput):
    """A text field with a remark below it."""

    remark = ""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"size": 13, **(attrs or {})})

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        html = super().render(name, value, attrs, renderer)
        if not self.remark:
            return html
        return format_html('<span>{}<br><span class="quiet small">{}</span></span>', html, self.remark)


class QuantityField(forms.Field):
    """Base units, written as a number or as “5 GB”; empty gives None."""

    widget = QuantityInput

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        try:
            return parsed(str(value))
        except NotAQuantity as error:
            raise ValidationError(str(error), code="invalid") from error


def refuse_sizes(form: forms.BaseForm, metric: Metric | None, *names: str) -> None:
    """Sizes such as “5 GB” belong to metrics of bytes; adds an error where another metric has one."""
    for name in names:
        written = str(form.data.get(form.add_prefix(name)) or "")
        if metric and metric.unit != Metric.Unit.BYTES and is_size(written):
            form.add_error(name, f"“{written}” is a size, but {metric} are counted: write a plain number.")


def remark_sizes(form: forms.BaseForm, metric: Metric, *names: str) -> None:
    """Beside each of these fields say what its amount is in MB; only for metrics of bytes."""
    if metric.unit != Metric.Unit.BYTES:
        return
    for name in names:
        field = form.fields.get(name)
        if field and isinstance(field.widget, QuantityInput):
            units = form.get_initial_for_field(field, name)
            field.widget.remark = "" if units is None else f"= {spelled(units, metric)}"
