"""Keeps what is done in the admin among all that people did, beside Django's own log of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst

from tenants.audit import Action, record
from tenants.models import Tenant, User
from tenants.throttle import network_of

Row = TypeVar("Row", bound=Model)
DIGITS = 19  # an id has less
LONGEST = 200  # characters of a name, and of what was changed


class RecordedAdmin(admin.ModelAdmin[Row]):
    """A page of the admin; whoever adds, changes or deletes a row there is kept with what they did.

    Django logs within the transaction of the act, or beside it where the act is a chosen action: so does this.
    """

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address says of the new row; a relation that it can't mean is left open, and no error."""
        found = super().get_changeform_initial_data(request)
        relations = {field.name for field in self.opts.fields if field.is_relation}
        return {name: value for name, value in found.items() if name not in relations or _is_id(value)}

    def log_addition(self, request: HttpRequest, obj: Row, message: Any) -> LogEntry:
        entry = super().log_addition(request, obj, message)
        _keep(request, Action.ADDED, obj)
        return entry

    def log_change(self, request: HttpRequest, obj: Row, message: Any) -> LogEntry:
        entry = super().log_change(request, obj, message)
        if message:  # a form that was saved as it was changed nothing
            _keep(request, Action.CHANGED, obj, how=entry.get_change_message()[:LONGEST])
        return entry

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Row]) -> list[LogEntry]:
        rows = list(cast(Iterable[Row], queryset))
        entries = super().log_deletions(request, queryset)
        for obj in rows:
            _keep(request, Action.DELETED, obj)
        return entries


def _keep(request: HttpRequest, action: Action, obj: Model, **words: str) -> None:
    words |= {"kind": capfirst(str(obj._meta.verbose_name)), "name": str(obj)[:LONGEST]}
    person = cast(User, request.user)  # the admin is open to people alone
    network = network_of(request)
    record(_tenant_of(obj), action, actor=person, at=timezone.now(), network=network, **words)


def _tenant_of(obj: Model) -> int | None:
    """The id of whose row it is; none where it is nobody's alone."""
    found: int | None = obj.pk if isinstance(obj, Tenant) else getattr(obj, "tenant_id", None)
    return found


def _is_id(value: object) -> bool:
    text = str(value)
    return text.isascii() and text.isdecimal() and len(text) < DIGITS
