"""What the settings charge for whole paths: HEADROOM_PATH_RULES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from usage.quotas.decorators import Mark, Rule


def path_marks() -> Callable[[str], Mark | None]:
    """A function from a request's path to its mark. Of several rules for one metric the longest path counts.

    HEADROOM_PATH_RULES = [{"path": "/v1/", "metric": "api_calls", "amount": 1}]
    """
    rules = sorted((_rule(entry) for entry in settings.HEADROOM_PATH_RULES), key=lambda rule: len(rule[0]))

    def mark_of_path(path: str) -> Mark | None:
        found = {rule.metric: rule for prefix, rule in rules if path.startswith(prefix)}
        return Mark(tuple(found.values())) if found else None

    return mark_of_path


def _rule(entry: Mapping[str, Any]) -> tuple[str, Rule]:
    match entry:
        case {"path": str(path), "metric": str(metric), **rest} if path.startswith("/"):
            amount = rest.pop("amount", 1)
            if not rest and type(amount) is int and amount > 0:
                return path, Rule(metric, amount)
    raise ImproperlyConfigured(
        f"HEADROOM_PATH_RULES has {entry!r}: use "
        '{"path": "/v1/", "metric": "api_calls", "amount": 1}, with a path from / on and a whole amount from 1 on.'
    )
