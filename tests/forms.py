"""Reads a page's form as a browser would send it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class _Form(HTMLParser):
    """Collects the values of the fields inside the form with one id, or the only POST form."""

    def __init__(self, form_id: str | None) -> None:
        super().__init__()
        self.form_id = form_id
        self.data: dict[str, list[str]] = {}
        self._inside = False
        self._name: str | None = None
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = found.get("id") == self.form_id if self.form_id else found.get("method") == "post"
        elif not self._inside or "disabled" in found:
            return
        elif tag == "input":
            self._input(found, is_checked="checked" in dict(attrs))
        elif tag == "select":
            self._name = found.get("name")
        elif tag == "option" and self._name and "selected" in dict(attrs):
            self._add(self._name, found.get("value", ""))
        elif tag == "textarea":
            self._name, self._text = found.get("name"), []

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "textarea" and self._name:
            self._add(self._name, "".join(self._text or []).lstrip("\n"))
            self._name = self._text = None
        elif tag == "select":
            self._name = None

    def _input(self, found: dict[str, str], *, is_checked: bool) -> None:
        kind = found.get("type", "text")
        if kind in ("submit", "button", "image", "file") or (
            kind in ("checkbox", "radio") and not is_checked
        ):
            return
        if name := found.get("name"):
            self._add(name, found.get("value", "on" if kind == "checkbox" else ""))

    def _add(self, name: str, value: str) -> None:
        self.data.setdefault(name, []).append(value)


def form_data(response: Any, form_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """What the form on a page holds, with `changes`; ready to be posted."""
    reader = _Form(form_id)
    reader.feed(response.content.decode())
    # A row that a script fills in, once somebody adds one, is not sent.
    held = {name: values for name, values in reader.data.items() if "__prefix__" not in name}
    return {**held, **changes}
