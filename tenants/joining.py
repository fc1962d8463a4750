"""Accepts invitations: of people who have an account, and of those who get one by it."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from tenants.audit import Action, record
from tenants.invitation_links import Unusable, require_open
from tenants.models import Invitation, Membership, User


class OtherAddress(Exception):
    """An invitation is for another address than that of who accepts it."""


class HasAccount(Exception):
    """Who should get an account has one that is opened by a password: they sign in, then join."""


def account_of(invitation: Invitation) -> User:
    """The person whom the invitation asks: not saved and without a password where they are new.

    Raises Unusable for who is switched off. Those who were imported have no password yet.
    """
    found = User.objects.filter(email=invitation.email).first()
    if found is None:
        found = User(email=invitation.email)
        found.set_unusable_password()
    if not found.is_active:
        raise Unusable(_("The account of this address is switched off; operations can switch it on."))
    return found


def require_addressee(invitation: Invitation, person: User) -> None:
    """Raise OtherAddress unless it is `person` who is asked."""
    if invitation.email != person.email:
        raise OtherAddress(person.email)


@transaction.atomic
def join(invitation: Invitation, person: User, at: datetime) -> Membership:
    """Make `person` a member; who is one already stays what they are. Raises Unusable, OtherAddress."""
    row = _locked(invitation, at)
    require_addressee(row, person)
    return _accepted(row, person, at)


def join_as_new(invitation: Invitation, *, name: str, password: str, at: datetime) -> User:
    """The person, with a name and a first password, as a member.

    The mailbox is proof enough for somebody who has no password, as it is for a reset link. Raises Unusable, and
    HasAccount for who has a password, also since a moment ago.
    """
    try:
        with transaction.atomic():
            row = _locked(invitation, at)
            person = account_of(row)
            if person.has_usable_password():
                raise HasAccount(row.email)
            person.first_name, _space, person.last_name = name.partition(" ")
            person.set_password(password)
            person.save()
            _accepted(row, person, at)
    except IntegrityError as error:  # another invitation of theirs made the account at the same time
        raise HasAccount(invitation.email) from error
    return person


def _locked(invitation: Invitation, at: datetime) -> Invitation:
    """As it is now: of two who accept it at once the second finds it accepted."""
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("tenant")
    row = rows.get(pk=invitation.pk)
    require_open(row, at)
    return row


def _accepted(row: Invitation, person: User, at: datetime) -> Membership:
    membership, is_new = Membership.objects.get_or_create(
        tenant=row.tenant, user=person, defaults={"role": row.role, "created_at": at}
    )
    row.accepted_at, row.accepted_by, row.mail_due_at = at, person, None
    row.save(update_fields=["accepted_at", "accepted_by", "mail_due_at"])
    if is_new:
        words = {"who": person.email, "role": membership.role}
        record(row.tenant, Action.JOINED, actor=person, at=at, **words)
    return membership
