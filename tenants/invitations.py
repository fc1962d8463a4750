"""Invites people to a tenant: who may invite whom, sending it again, taking it back."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.audit import Action, record
from tenants.models import Invitation, Membership, Tenant, User
from tenants.tasks import ring_invitations

Role = Membership.Role

LIFE = timedelta(days=7)
MOST = 50  # pending invitations of a tenant
GRANTABLE = {Role.OWNER: (Role.VIEWER, Role.ADMIN, Role.OWNER), Role.ADMIN: (Role.VIEWER, Role.ADMIN)}


class NotInvited(Exception):
    """Somebody can't be invited; says why."""


def grantable(role: str) -> tuple[Role, ...]:
    """The roles in which somebody of this role may invite, smallest first: admins make no owners."""
    return GRANTABLE.get(Role(role), ())


@transaction.atomic
def invite(tenant: Tenant, *, email: str, role: Role, by: User, at: datetime) -> Invitation:
    """Invite who reads the mail of `email`; whether `by` may grant `role` is the caller's to know.

    Raises NotInvited for who belongs to the tenant or is invited already, and where too many are.
    """
    email = email.strip().lower()
    # So that two who invite at once are counted; rows that refer to the tenant may be written meanwhile.
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    pending = Invitation.objects.pending().filter(tenant=tenant)
    _require_news(tenant, email, at)
    pending.filter(email=email).update(withdrawn_at=at)  # it has expired
    if pending.filter(expires_at__gt=at).count() >= MOST:
        raise NotInvited(_("%d invitations wait for an answer: withdraw one first.") % MOST)
    made = Invitation.objects.create(
        tenant=tenant,
        email=email,
        role=role,
        invited_by=by,
        created_at=at,
        expires_at=at + LIFE,
        mail_due_at=at,
    )
    record(tenant, Action.INVITED, actor=by, at=at, who=email, role=made.role)
    transaction.on_commit(ring_invitations)
    return made


def _require_news(tenant: Tenant, email: str, at: datetime) -> None:
    if Membership.objects.filter(tenant=tenant, user__email=email).exists():
        raise NotInvited(_("%s belongs to the organisation already.") % email)
    if Invitation.objects.pending().filter(tenant=tenant, email=email, expires_at__gt=at).exists():
        raise NotInvited(_("%s is invited already. Send that invitation again, or withdraw it.") % email)


@transaction.atomic
def invite_again(invitation: Invitation, *, by: User, at: datetime) -> bool:
    """Mail a new link, good for seven days from now; earlier ones open nothing any more. False where it is over."""
    row = Invitation.objects.pending().select_for_update(of=("self",)).filter(pk=invitation.pk).first()
    if row is None:
        return False
    row.serial += 1
    row.expires_at, row.mail_due_at, row.mailed_at, row.mail_problem = at + LIFE, at, None, ""
    row.save(update_fields=["serial", "expires_at", "mail_due_at", "mailed_at", "mail_problem"])
    record(row.tenant, Action.INVITED_AGAIN, actor=by, at=at, who=row.email, role=row.role)
    transaction.on_commit(ring_invitations)
    return True


@transaction.atomic
def withdraw(invitation: Invitation, *, by: User, at: datetime) -> bool:
    """Make its links open nothing; False where it is over already."""
    row = Invitation.objects.pending().filter(pk=invitation.pk)
    if not row.update(withdrawn_at=at, mail_due_at=None):
        return False
    words = {"who": invitation.email, "role": invitation.role}
    record(invitation.tenant, Action.WITHDRAWN, actor=by, at=at, **words)
    return True
