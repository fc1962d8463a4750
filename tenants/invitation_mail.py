"""Mails invitations; what the mail server does not take now is tried again until the invitation expires."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from tenants.invitation_links import link_of
from tenants.models import Invitation
from tenants.zones import zone_of

logger = logging.getLogger(__name__)

# Longer than a conversation with the mail server takes; so nobody else sends one that is being sent.
AGAIN_AFTER = timedelta(minutes=5)
AT_ONCE = 50
PERMANENT = 500


def send_waiting(at: datetime) -> int:
    """Mail the invitations that wait, each claimed first; returns how many the mail server took."""
    return sum(_send(one, at) for one in _claimed(at))


@transaction.atomic
def _claimed(at: datetime) -> list[Invitation]:
    rows = Invitation.objects.to_mail(at).select_for_update(of=("self",), skip_locked=True)
    found = list(rows.select_related("tenant", "invited_by")[:AT_ONCE])
    Invitation.objects.filter(pk__in=[one.pk for one in found]).update(mail_due_at=at + AGAIN_AFTER)
    return found


def _send(invitation: Invitation, at: datetime) -> bool:
    # Who sends it again meanwhile raises the serial: then this mail is no longer the one that counts.
    row = Invitation.objects.filter(pk=invitation.pk, serial=invitation.serial)
    try:
        compose(invitation).send()
    except (
        OSError,
        ValueError,
    ) as error:  # smtplib's errors are OSErrors; ValueError: an address nobody can write
        problem = _problem(error)
        logger.warning("The invitation %s was not mailed: %s", invitation.pk, error)
        if problem:
            row.update(mail_due_at=None, mail_problem=problem[:200])
        return False
    row.update(mail_due_at=None, mailed_at=at)
    return True


def compose(invitation: Invitation) -> EmailMultiAlternatives:
    """The mail, in text and HTML."""
    host = urlsplit(settings.BASE_URL).hostname
    zone = zone_of(invitation.tenant.time_zone)
    context = {"invitation": invitation, "link": link_of(invitation), "zone": zone}
    mail = EmailMultiAlternatives(
        subject=_("Join %(tenant)s on Headroom") % {"tenant": invitation.tenant.name},
        body=render_to_string("tenants/mail/invitation.txt", context),
        to=[invitation.email],
        headers={
            "Message-ID": f"<invitation-{invitation.pk}-{invitation.serial}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string("tenants/mail/invitation.html", context), "text/html")
    return mail


def _problem(error: OSError | ValueError) -> str:
    """Why the mail server will never take it; empty for what may pass."""
    answer: bytes | str
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, SMTPRecipientsRefused):
        code, answer = next(iter(error.recipients.values()))
    elif isinstance(error, SMTPDataError):
        code, answer = error.smtp_code, error.smtp_error
    else:
        return ""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"{code} {text}" if code >= PERMANENT else ""
