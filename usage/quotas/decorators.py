"""Marks views with what a request to them is charged; the middleware does the charging.

@quota("api_calls")
@quota("api_calls", records="bandwidth")
@quota("api_calls", Rule("tokens", amount=lambda request: int(request.headers["X-Tokens"])))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import count
from typing import Any, TypeAlias, TypeVar

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from tenants.requests import TenantRequest
from usage.metering import Charge

T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])
Value: TypeAlias = T | Callable[[TenantRequest], T]

# Each decorator leaves an attribute of its own: `method_decorator` copies attributes from one function over those of
# another, so that of two decorators with one name the second would be lost, and its metric never limited.
PREFIX = "_quota_"
_numbers = count()


@dataclass(frozen=True, slots=True)
class Rule:
    """One metric that a request is charged for; amount, label and member may be functions of the request.

    An amount of 0 charges nothing. Without a label it is the request's method and route.
    """

    metric: str
    amount: Value[int] = 1
    label: Value[str] = ""
    member: Value[str | None] = None

    def charge(self, request: TenantRequest) -> Charge:
        """What this rule charges `request`."""
        return Charge(
            self.metric,
            _value(self.amount, request),
            _value(self.label, request),
            _value(self.member, request),
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """All that a view is marked with.

    `records`: metrics of the response's bytes; they are gated before the view and counted after it.
    `gates`: metrics that are only gated. `keys_only`: the request must carry an API key.
    """

    rules: tuple[Rule, ...] = ()
    records: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    keys_only: bool = False

    def charges(self, request: TenantRequest) -> list[Charge]:
        """What `request` is charged, without what amounts to nothing."""
        return [charge for rule in self.rules if (charge := rule.charge(request)).amount]

    def __or__(self, other: Mark) -> Mark:
        return Mark(
            self.rules + other.rules,
            self.records + other.records,
            self.gates + other.gates,
            self.keys_only or other.keys_only,
        )


def quota(
    *rules: str | Rule,
    records: str | Sequence[str] = (),
    gate: str | Sequence[str] = (),
    keys_only: bool = False,
) -> Callable[[View], View]:
    """Charge each request for `rules`: metric codes (1 unit each) or `Rule`s, all of them or none.

    Several decorators add up, topmost first. Works on functions, on async functions, on what `as_view()` returns, and
    with `method_decorator` on `dispatch` or on one handler. Views that are exempt from CSRF protection set
    `keys_only`, so that a browser's cookie can't be made to spend.

    Without a rule it only asks for a tenant that may use something; such a view charges by itself, with
    `usage.quotas.charge` or `usage.metering.consume`.
    """
    mark = Mark(
        tuple(Rule(rule) if isinstance(rule, str) else rule for rule in rules),
        _codes(records),
        _codes(gate),
        keys_only,
    )
    attribute = f"{PREFIX}{next(_numbers):06}"

    def decorate(view: View) -> View:
        marked = _wrapped(view)
        setattr(marked, attribute, mark)
        return marked

    return decorate


def mark_of(view: Callable[..., Any], request: HttpRequest) -> Mark | None:
    """What `view`, or the handler of its class that will answer `request`, is marked with."""
    marks = _marks(view)
    if view_class := getattr(view, "view_class", None):
        method = (request.method or "").lower()
        handler = getattr(view_class, method, None)
        if handler is None and method == "head":
            handler = getattr(view_class, "get", None)
        marks = _marks(handler) | marks
    found = None
    for name in sorted(marks):
        found = found | marks[name] if found else marks[name]
    return found


def _marks(marked: object) -> dict[str, Mark]:
    return {name: mark for name, mark in getattr(marked, "__dict__", {}).items() if name.startswith(PREFIX)}


def _wrapped(view: View) -> View:
    """A function of its own, so that the same view can stand elsewhere without the mark."""
    if iscoroutinefunction(view):

        @wraps(view)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            answer: Awaitable[Any] = view(*args, **kwargs)
            return await answer

        return run_async  # type: ignore[return-value]  # same signature as the view

    @wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return run  # type: ignore[return-value]  # same signature as the view


def _codes(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _value(given: Value[T], request: TenantRequest) -> T:
    return given(request) if callable(given) else given
