"""The links in the mails of invitations: signed, good once, for a while, and only the newest."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.translation import gettext as _

from tenants.models import Invitation

_signer = Signer(salt="tenants.invitation")


class Unusable(Exception):
    """A link opens no invitation; says why. `is_ours`: it was a link, and what it opened is over."""

    def __init__(self, reason: str, *, is_ours: bool = True) -> None:
        super().__init__(reason)
        self.is_ours = is_ours


def link_of(invitation: Invitation) -> str:
    """The address that its mail holds; from BASE_URL, never from a request's host."""
    return settings.BASE_URL + reverse("tenants:join", args=[token_of(invitation)])


def token_of(invitation: Invitation) -> str:
    """What makes the address known to nobody but who reads the mail."""
    return _signer.sign_object([invitation.pk, invitation.serial])


def opened(token: str, at: datetime) -> Invitation:
    """The invitation, with its tenant, that this link opens at `at`; raises Unusable."""
    try:
        number, serial = _signer.unsign_object(token)
    except BadSignature:
        reason = _("This is no link of ours, or a part of it is missing: copy it whole from the mail.")
        raise Unusable(reason, is_ours=False) from None
    invitation = Invitation.objects.select_related("tenant", "invited_by").filter(pk=number).first()
    if invitation is None:
        raise Unusable(_("This invitation does not exist any more."))
    require_open(invitation, at)
    if invitation.serial != serial:
        raise Unusable(_("A newer mail has taken the place of this one: use the link in the newest."))
    return invitation


def require_open(invitation: Invitation, at: datetime) -> None:
    """Raise Unusable unless it can be accepted."""
    if invitation.accepted_at is not None:
        raise Unusable(
            _("This invitation was accepted already; a link works once. Sign in to see the pages.")
        )
    if invitation.withdrawn_at is not None or invitation.tenant.is_closed:
        raise Unusable(_("This invitation was withdrawn. Ask who invited you for a new one."))
    if invitation.expires_at <= at:
        raise Unusable(_("This invitation has expired. Ask who invited you to send it again."))
