"""Who may change a tenant's plan, and what its reader is told about that."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import Plan
from tenants.models import Membership, Tenant

Role = Membership.Role


@dataclass(frozen=True, slots=True)
class Say:
    """What a reader may do about the plan: switch, ask operations, or neither; and the note that says so."""

    may_switch: bool
    may_ask: bool
    title: str
    text: str


def is_self_service(plan: Plan) -> bool:
    """Whether owners on `plan` choose themselves; a plan of one's own is operations' to change."""
    is_common = plan.is_public or plan.slug == settings.HEADROOM_DEFAULT_PLAN
    return bool(settings.HEADROOM_SELF_SERVICE_PLANS) and is_common


def say(reader: Membership | None, tenant: Tenant, plan: Plan) -> Say:
    """What `reader` may do about `tenant`'s plan; None is who does not belong to it."""
    if is_self_service(plan):
        return _self_service(reader, tenant)
    if reader is None or not reader.reaches(Role.ADMIN):
        names = _names(tenant, Role.OWNER, Role.ADMIN)
        if names:
            return _reads(_("Another role can ask for a plan."), _who_can(names))
        return _reads(*_nobody(_("Nobody here can ask for a plan yet.")))
    text = _(
        "The operations team gets your question and puts you on the plan. Viewers see no button, but who can ask."
    )
    return Say(False, True, _asks(reader, tenant), text)


def _self_service(reader: Membership | None, tenant: Tenant) -> Say:
    """Owners switch, admins ask, viewers read who can do it."""
    names = _names(tenant, Role.OWNER)
    if reader is not None and reader.reaches(Role.OWNER):
        title = _("You can switch, because you own %(name)s.") % {"name": tenant.name}
        text = _(
            "Admins see “Ask for this plan”, and you read here what they ask for. Viewers see no button, but who "
            "can do it: %(names)s."
        )
        return Say(True, False, title, text % {"names": ", ".join(names)})
    if reader is not None and reader.reaches(Role.ADMIN):
        text = _("Operations and the owners get your question.")
        return Say(False, True, _asks(reader, tenant), f"{text} {_who_can(names)}" if names else text)
    if names:
        return _reads(_("Owners switch plans."), _who_can(names))
    return _reads(*_nobody(_("Nobody here can switch plans yet.")))


def _reads(title: str, text: str) -> Say:
    return Say(False, False, title, text)


def _asks(reader: Membership, tenant: Tenant) -> str:
    facts = {"name": tenant.name, "role": reader.get_role_display().lower()}
    return _("You can ask for a plan: your role in %(name)s is %(role)s.") % facts


def _who_can(names: list[str]) -> str:
    return _("Who can: %(names)s.") % {"names": ", ".join(names)}


def _nobody(title: str) -> tuple[str, str]:
    return title, _("The organisation has no owner: operations name one.")


def _names(tenant: Tenant, *roles: Role) -> list[str]:
    """Who has one of these roles; owners first."""
    people = Membership.objects.filter(tenant=tenant, user__is_active=True, role__in=roles)
    return [str(one.user) for one in people.select_related("user").order_by("-role", "pk")]
