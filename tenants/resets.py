"""Mails a person the link with which they set a password: forgotten, or not yet chosen."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.utils.translation import override

from tenants.models import User


def send_reset_link(email: str, language: str | None = None) -> bool:
    """Mail the link, where an active person has this address; True when it was handed to the mail server.

    People without a password get one too: that is how those who were imported come in. Raises what the mail
    backend raises (SMTPException, OSError).
    """
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is None:
        return False
    with override(language):
        _mail(user).send()
    return True


def _mail(user: User) -> EmailMultiAlternatives:
    context = {"user": user, "link": reset_link(user), "hours": settings.PASSWORD_RESET_TIMEOUT // 3600}
    mail = EmailMultiAlternatives(
        subject=_("Set your password for Headroom"),
        body=render_to_string("tenants/mail/reset.txt", context),
        to=[user.email],
    )
    mail.attach_alternative(render_to_string("tenants/mail/reset.html", context), "text/html")
    return mail


def reset_link(user: User) -> str:
    """An address that lets its holder set the password once; from BASE_URL, never from a request's host."""
    args = [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    return settings.BASE_URL + reverse("tenants:reset_confirm", args=args)
