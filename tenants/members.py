"""Changes what members of a tenant are, and ends it; at least one owner stays."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from tenants.audit import Action, record
from tenants.invitations import grantable
from tenants.models import Invitation, Membership, User

Role = Membership.Role


class NotAllowed(Exception):
    """Who asks is no owner any more; says so."""


class LastOwner(Exception):
    """A tenant would be left without an owner who can sign in; says what to do."""


@transaction.atomic
def change_role(membership: Membership, role: Role, *, by: User, at: datetime) -> int:
    """Make a member something else; returns how many of their invitations were withdrawn with it.

    Invitations that the member might no longer send are. Raises NotAllowed unless `by` is an owner, LastOwner.
    """
    member, owners = _locked(membership)
    if by.pk not in owners:
        raise NotAllowed(_("Only owners can change roles, and you are not an owner any more."))
    if member.role == role:
        return 0
    if role != Role.OWNER:
        _require_another_owner(member, owners)
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    words = {"who": member.user.email, "role": role.value, "before": before}
    record(member.tenant, Action.ROLE_CHANGED, actor=by, at=at, **words)
    return _withdraw(member, Q(invited_by=member.user) & ~Q(role__in=grantable(role)), at)


@transaction.atomic
def remove_member(membership: Membership, *, by: User, at: datetime) -> int:
    """End a membership, at once; members may end their own. Returns how many of their invitations were withdrawn.

    So that nobody comes back by what they prepared, these are those they sent, and those to their own address.
    Raises NotAllowed unless `by` is an owner or the member, LastOwner.
    """
    member, owners = _locked(membership)
    if by.pk not in owners and by != member.user:
        raise NotAllowed(_("Only owners can remove others, and you are not an owner any more."))
    _require_another_owner(member, owners)
    action = Action.LEFT if member.user == by else Action.REMOVED
    record(member.tenant, action, actor=by, at=at, who=member.user.email)
    withdrawn = _withdraw(member, Q(invited_by=member.user) | Q(email=member.user.email), at)
    member.delete()
    return withdrawn


def _locked(membership: Membership) -> tuple[Membership, set[int]]:
    """The member as it is now, and the ids of the owners, all locked: of two who act at once one sees the other's act.

    Raises Membership.DoesNotExist where it has ended meanwhile.
    """
    members = Membership.objects.filter(tenant=membership.tenant_id).select_for_update(of=("self",))
    owners = {one.user_id for one in members.owners().order_by("pk")}
    return members.select_related("user", "tenant").get(pk=membership.pk), owners


def _require_another_owner(member: Membership, owners: set[int]) -> None:
    if owners == {member.user_id}:
        raise LastOwner(_("An organisation needs an owner. Make somebody else an owner first."))


def _withdraw(member: Membership, which: Q, at: datetime) -> int:
    rows = Invitation.objects.pending().filter(which, tenant=member.tenant)
    return rows.update(withdrawn_at=at, mail_due_at=None)
