"""What a browser would send back for an admin page: every field of its forms as it stands."""

from __future__ import annotations

from html.parser import HTMLParser

from django.test import Client


class _Fields(HTMLParser):
    """Collects the values of the inputs, selects and text areas of a page's one large form."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = ""
        self._text = ""

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        attrs = dict(pairs)
        name = attrs.get("name") or ""
        if tag == "select":
            self._select = "" if "disabled" in attrs else name
        elif tag == "option" and self._select and ("selected" in attrs or self._select not in self.values):
            self.values[self._select] = attrs.get("value") or ""
        elif tag == "textarea":
            self._text = name
        elif tag == "input" and name and "disabled" not in attrs:
            self._input(name, attrs)

    def _input(self, name: str, attrs: dict[str, str | None]) -> None:
        if attrs.get("type") in ("submit", "button", "file"):
            return
        if attrs.get("type") in ("checkbox", "radio") and "checked" not in attrs:
            return
        self.values[name] = attrs.get("value") or ("on" if attrs.get("type") == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.values[self._text] = data.strip()


def fields_of(html: str) -> dict[str, str]:
    """Names and values that a browser would send for the page's fields."""
    parser = _Fields()
    parser.feed(html[html.find('<div id="content"') :])
    return parser.values


def filled(client: Client, path: str, changes: dict[str, object]) -> dict[str, str]:
    """The fields of the page at `path`, some of them changed."""
    response = client.get(path)
    assert response.status_code == 200, response.status_code
    return fields_of(response.content.decode()) | {name: str(value) for name, value in changes.items()}
