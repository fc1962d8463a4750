"""Gives one tenant more of a metric for a time, and ends that early; counting is told of both."""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from math import ceil

from django.db import transaction
from django.utils.translation import gettext as _

from billing.changes import limits_changed
from billing.limits import Limit
from billing.models import MAX_QUANTITY, Metric, Override
from billing.quantities import NotAQuantity, is_size, parsed, spelled
from billing.terms import moment
from tenants.models import Tenant, User

PERCENT = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*%")


def grant(
    tenant: Tenant, metric: Metric, *, units: int, ends: datetime, reason: str, author: User, at: datetime
) -> Override:
    """Add `units` to what `tenant` has of `metric`, from `at` to `ends`; felt by counting within two seconds."""
    with transaction.atomic():
        made = Override(
            tenant=tenant,
            metric=metric,
            mode=Override.Mode.ADD,
            units=units,
            reason=reason,
            author=author,
            starts=at,
            ends=ends,
        )
        _keep(made, author)
        _tell(made, f"Override: {override_words(made)}", author, at)
    return made


def end_early(override: Override, *, by: User, at: datetime) -> bool:
    """Let `override` end now, or never begin; False where it had ended."""
    with transaction.atomic():
        rows = Override.objects.select_for_update(of=("self",)).select_related("tenant", "metric")
        found = rows.filter(pk=override.pk).first()
        if found is None or (found.ends is not None and found.ends <= at):
            return False
        _tell(found, f"Override ended early: {override_words(found)}", by, at)
        if found.starts >= at:
            found.delete()
        else:
            found.ends = at
            _keep(found, by)
    return True


def units_more(text: str, limit: Limit) -> int:
    """The units that “10 %”, “50,000” or “5 GB” adds to what is included. Raises NotAQuantity, which says why."""
    asked = text.strip().removeprefix("+").strip()
    if is_size(asked) and limit.metric.unit != Metric.Unit.BYTES:
        message = _("“%(text)s” is a size, but %(metric)s are counted: write a plain number.")
        raise NotAQuantity(message % {"text": asked, "metric": limit.metric})
    percent, included = PERCENT.fullmatch(asked), limit.included or 0
    units = ceil(included * Fraction(percent[1]) / 100) if percent else parsed(asked)
    if units == 0:
        raise NotAQuantity(_("That adds nothing: enter more, or units where nothing is included."))
    if max(included, limit.hard_limit or 0) + units > MAX_QUANTITY:
        raise NotAQuantity(
            _("Together that is more than %s, the most that is counted.") % f"{MAX_QUANTITY:,}"
        )
    return units


def override_words(override: Override) -> str:
    """“API calls +500 until 1 Dec 2026, 00:00 UTC (ticket 4711)”."""
    amount = spelled(override.units, override.metric)
    sign = "+" if override.mode == Override.Mode.ADD else "= "
    until = f" until {moment(override.ends)}" if override.ends else ""
    return f"{override.metric} {sign}{amount}{until} ({override.reason})"


def _keep(override: Override, author: User) -> None:
    """Save it, and who did so in its history."""
    override._history_user = author  # type: ignore[attr-defined]  # how django-simple-history is told
    override.save()


def _tell(override: Override, text: str, actor: User, at: datetime) -> None:
    limits_changed(Tenant.objects.filter(pk=override.tenant_id), reason=text, at=at, actor=actor)
