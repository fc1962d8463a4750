"""Forms of the pages around signing in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm, UsernameField
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tenants.models import User
from tenants.tasks import send_reset_link


class SignInForm(AuthenticationForm):
    """E-mail and password."""

    username = UsernameField(
        label=_("Email"), widget=forms.EmailInput(attrs={"class": "in", "autofocus": True})
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"class": "in", "autocomplete": "current-password"}),
    )

    error_messages = {
        "invalid_login": _("Email or password is wrong. Passwords tell small from capital letters."),
        "inactive": _("This account is switched off."),
    }


class ResetForm(forms.Form):
    """Asks for the mail with the link to set a password."""

    email = forms.EmailField(
        label=_("Email"),
        max_length=254,
        widget=forms.EmailInput(attrs={"class": "in", "autocomplete": "username", "autofocus": True}),
    )

    def save(self, **_options: Any) -> None:
        """Hand the address on, known or not; raises kombu's OperationalError when the broker is away."""
        send_reset_link.apply_async((self.cleaned_data["email"], get_language()), retry=False)


class PasswordForm(SetPasswordForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A new password, typed twice."""

    new_password1, new_password2 = SetPasswordForm.create_password_fields(
        label1=_("New password"), label2=_("The same again")
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "in"
        self.fields["new_password2"].help_text = ""


class JoinForm(PasswordForm):
    """The name and first password of who accepts an invitation."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=150,
        widget=forms.TextInput(attrs={"class": "in", "autocomplete": "name", "autofocus": True}),
    )
    field_order = ("name", "new_password1", "new_password2")

    def clean(self) -> dict[str, Any] | None:
        # A password that is much like the name is refused: so the person has the name before that is asked.
        self.user.first_name = self.cleaned_data.get("name", "")
        return super().clean()
