"""What the page of members shows: who belongs to the tenant as what, and who is invited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, Value, When
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tenants.invitations import grantable
from tenants.models import Invitation, Membership, Tenant
from usage.reports import dates
from usage.reports.meters import Look

Role = Membership.Role
BY_RANK = Case(
    *(When(role=role, then=Value(-role.rank)) for role in Role), default=Value(0), output_field=IntegerField()
)


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One member; `is_last_owner`: without them the tenant would have no owner who can sign in."""

    id: int
    name: str
    email: str
    initials: str
    role: str
    role_name: str
    since: str
    seen: str
    is_self: bool
    is_active: bool
    is_last_owner: bool


@dataclass(frozen=True, slots=True)
class InvitationLine:
    """One invitation that nobody has accepted yet."""

    id: int
    email: str
    role_name: str
    look: Look
    note: str
    inviter: str
    may_renew: bool


@dataclass(frozen=True, slots=True)
class MemberPage:
    """All of it, for one reader: `roles` are those in which they may invite, `may_decide` is for owners."""

    members: tuple[MemberLine, ...]
    invitations: tuple[InvitationLine, ...]
    roles: tuple[Role, ...]
    may_decide: bool
    may_leave: bool

    @property
    def count(self) -> str:
        """“4 people”."""
        return ngettext("%d person", "%d people", len(self.members)) % len(self.members)

    @property
    def all_roles(self) -> tuple[Role, ...]:
        return tuple(Role)


def member_page(tenant: Tenant, reader: Membership | None, at: datetime) -> MemberPage:
    """Members and invitations of `tenant` as `reader` may see them (none: operations); two queries.

    Whoever may not invite sees no invitations.
    """
    rows = list(tenant.memberships.select_related("user").order_by(BY_RANK, "user__email"))
    owners = [one.pk for one in rows if one.role == Role.OWNER and one.user.is_active]
    last = owners[0] if len(owners) == 1 else None
    roles = grantable(reader.role) if reader else ()
    sees_invitations = reader is None or bool(roles)
    return MemberPage(
        members=tuple(_member(one, reader, last, at) for one in rows),
        invitations=_invitations(tenant, roles, at) if sees_invitations else (),
        roles=roles,
        may_decide=reader is not None and reader.role == Role.OWNER,
        may_leave=reader is not None and reader.pk != last,
    )


def _member(one: Membership, reader: Membership | None, last: int | None, at: datetime) -> MemberLine:
    return MemberLine(
        id=one.pk,
        name=one.user.get_full_name() or one.user.email,
        email=one.user.email,
        initials=one.user.initials,
        role=one.role,
        role_name=one.get_role_display(),
        since=dates.day(one.created_at),
        seen=dates.when(one.user.last_login, at) if one.user.last_login else _("never"),
        is_self=reader is not None and one.pk == reader.pk,
        is_active=one.user.is_active,
        is_last_owner=one.pk == last,
    )


def _invitations(tenant: Tenant, roles: tuple[Role, ...], at: datetime) -> tuple[InvitationLine, ...]:
    rows = Invitation.objects.pending().filter(tenant=tenant).select_related("invited_by")
    return tuple(_invitation(one, roles, at) for one in rows.order_by("-created_at", "-pk"))


def _invitation(one: Invitation, roles: tuple[Role, ...], at: datetime) -> InvitationLine:
    look, note = _stand(one, at)
    return InvitationLine(
        id=one.pk,
        email=one.email,
        role_name=one.get_role_display(),
        look=look,
        note=note,
        inviter=str(one.invited_by) if one.invited_by else "",
        may_renew=one.role in roles,
    )


def _stand(one: Invitation, at: datetime) -> tuple[Look, str]:
    """What became of its mail, and for how long its link works."""
    when = {"when": dates.when(one.expires_at, at)}
    if one.expires_at <= at:
        return Look("near", _("Expired")), _("The link worked until %(when)s") % when
    if one.mail_problem:
        return Look("full", _("Not delivered")), one.mail_problem
    until = _("The link works until %(when)s") % when
    if one.mailed_at is None:
        return Look("near", _("Being mailed")), until
    return Look("ok", _("Mailed %(when)s") % {"when": dates.when(one.mailed_at, at)}), until
