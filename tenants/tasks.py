"""What the web process hands to Celery."""

import logging

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway

from tenants import invitation_mail, resets

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def send_reset_link(email: str, language: str | None) -> None:
    """Look the person up and mail the link; here, so that the page takes the same time for every address."""
    resets.send_reset_link(email, language)


@shared_task(ignore_result=True)
def mail_invitations() -> None:
    invitation_mail.send_waiting(timezone.now())


def ring_invitations() -> None:
    """Have invitations mailed now; beat finds what this forgets within a minute."""
    try:
        mail_invitations.apply_async(retry=False)
    except BrokerAway as error:
        logger.warning("The broker does not answer; invitations are mailed by the next beat: %s", error)
