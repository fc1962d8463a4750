"""Forms of the pages around signing in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tenants.models import User
from tenants.tasks import send_reset_link


class SignInForm(AuthenticationForm):
    """E-mail and password."""

    error_messages = {
        "invalid_login": _("E-mail or password is wrong. Passwords tell small from capital letters."),
        "inactive": _("This account is switched off."),
    }


class ResetForm(forms.Form):
    """Asks for the mail with the link to set a password."""

    email = forms.EmailField(max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"}))

    def save(self, **_options: Any) -> None:
        """Hand the address on, known or not; raises kombu's OperationalError when the broker is away."""
        send_reset_link.apply_async((self.cleaned_data["email"], get_language()), retry=False)


class PasswordForm(SetPasswordForm[User]):
    """A new password, typed twice."""
