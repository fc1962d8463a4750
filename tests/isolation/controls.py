"""Reads the fields of a page, what stands in them, and what the page says of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

Attributes = dict[str, str]
WITHOUT_END = {"input", "meta", "link", "br", "img", "use", "rect", "path", "circle", "line", "hr"}


@dataclass
class Page(HTMLParser):
    """`held` has the values by field, `fields` their attributes, `texts` what stands in the elements with an id."""

    held: dict[str, set[str]] = field(default_factory=dict)
    fields: dict[str, list[Attributes]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[tuple[str, Attributes]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self._field(tag, found)
        if tag not in WITHOUT_END:
            self._open.append((tag, found))

    def handle_endtag(self, tag: str) -> None:
        while tag in [kind for kind, _found in self._open] and self._open.pop()[0] != tag:
            continue

    def handle_data(self, data: str) -> None:
        for _tag, found in self._open:
            if "id" in found:
                self.texts[found["id"]] = self.texts.get(found["id"], "") + data

    def said_of(self, name: str) -> str:
        """What the page says beside a field that it marks as wrong; empty where it marks none."""
        marked = [one for one in self.fields.get(name, ()) if one.get("aria-invalid") == "true"]
        ids = " ".join(one.get("aria-describedby", "") for one in marked).split()
        return " ".join(
            self.texts.get(one, "").strip() for one in ids if one.endswith("error") or "error-" in one
        )

    def _field(self, tag: str, found: Attributes) -> None:
        if tag in ("input", "select", "textarea") and found.get("name"):
            # A group of radio buttons is marked as one.
            group = [one for kind, one in self._open if kind == "fieldset"]
            self.fields.setdefault(found["name"], []).extend([found, *group])
        if tag == "option" and "selected" in found:
            name = next((one["name"] for kind, one in reversed(self._open) if kind == "select"), "")
            self.held.setdefault(name, set()).add(found.get("value", ""))
        if tag == "input" and (found.get("type") not in ("checkbox", "radio") or "checked" in found):
            self.held.setdefault(found.get("name", ""), set()).add(found.get("value", "on"))


def read(answer: Any) -> Page:
    """The page that was answered."""
    page = Page()
    page.feed(answer.content.decode())
    return page
