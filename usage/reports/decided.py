"""What happened to a plan, as its owner reads it right after deciding."""

from __future__ import annotations

from django.utils.translation import gettext as _

from billing.courses import PlanChange, Scheduled
from billing.terms import moment


def changed(change: PlanChange) -> str:
    """The sentence after a switch."""
    if change.is_at_once:
        return _("%(plan)s holds from now on. Its limits act within seconds.") % {"plan": change.plan.name}
    facts = {"plan": change.plan.name, "day": moment(change.begins)}
    return _("%(plan)s begins on %(day)s. You can withdraw that until then.") % facts


def cancelled(change: PlanChange) -> str:
    """The sentence after a cancellation."""
    facts = {"before": change.before.name, "plan": change.plan.name, "day": moment(change.begins)}
    return _("%(before)s ends on %(day)s, then %(plan)s holds. You can withdraw that until then.") % facts


def withdrawn(gone: Scheduled) -> str:
    """The sentence after what was scheduled is taken back."""
    return _("%(before)s goes on.") % {"before": gone.before.name}
