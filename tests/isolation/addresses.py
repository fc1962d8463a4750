"""Every address of the URL configuration, as the tests of isolation walk it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

# The admin's addresses of a model: which one, and what it is for.
OF_MODEL = re.compile(r"admin:(\w+?)_(changelist|add|change|delete|simple_history|history)")
# A part of a route: `<slug:code>`, or `(?P<code>…)` in a regular expression.
PART = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")
# The addresses of a history's versions are made of two parts without names.
UNNAMED = "([^/]+)"
# The admin's address of one object without a name; it leads to the one with `change/` at its end.
SHORT = re.compile(r"admin:admin/(\w+)/(\w+)/<path:object_id>/")


@dataclass(frozen=True, slots=True)
class Address:
    """One address; `model` and `kind` are those of the admin's addresses of models: “billing_plan”, “change”."""

    name: str
    route: str
    model: str = ""
    kind: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def is_admins(self) -> bool:
        return self.name.startswith("admin:")

    def path(self, values: Mapping[str, str]) -> str:
        """Where it leads with these parts; a part that nobody has given a value is a KeyError with its name."""
        named = self.route.replace(UNNAMED, "<object_id>", 1).replace(UNNAMED, "<history_id>", 1)
        return f"/{PART.sub(lambda part: values[part[1] or part[2]], named)}".replace("^", "").rstrip("$")


def addresses() -> list[Address]:
    """All of them, in the order in which they are tried."""
    return list(_walk(get_resolver().url_patterns, "", ""))


def _walk(patterns: Sequence[URLPattern | URLResolver], space: str, before: str) -> Iterator[Address]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, inner, route)
        else:
            # What has no name is known by its route.
            name = f"{space}{pattern.name or route}"
            yield Address(name, route, *_of_model(name))


def _of_model(name: str) -> tuple[str, str]:
    if short := SHORT.fullmatch(name):
        return f"{short[1]}_{short[2]}", "short"
    found = OF_MODEL.fullmatch(name)
    return (found[1], found[2]) if found and "password" not in name else ("", "")
