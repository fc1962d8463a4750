"""What the page of members is asked: whom to invite as what, what to do with an invitation, what somebody becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.models import Membership

Role = Membership.Role
AGAIN, WITHDRAW = "again", "withdraw"


class InviteForm(forms.Form):
    """An address and one of the roles that the inviter may grant."""

    email = forms.EmailField(
        max_length=254,
        label=_("Email"),
        widget=forms.EmailInput(attrs={"class": "in", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        error_messages={"invalid_choice": _("Choose one of these roles.")},
        widget=forms.Select(attrs={"class": "in"}),
    )

    def __init__(self, data: Any = None, *, roles: Sequence[Role]) -> None:
        super().__init__(data)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(role.value, role.label) for role in roles]

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class InvitationForm(forms.Form):
    """What to do with an invitation."""

    do = forms.ChoiceField(choices=[(one, one) for one in (AGAIN, WITHDRAW)])


class RoleForm(forms.Form):
    """What a member becomes."""

    role = forms.TypedChoiceField(choices=Role.choices, coerce=Role)
