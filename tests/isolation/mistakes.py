"""What each form is sent that is wrong in one field. A new address that takes a POST and is in neither table fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from tests.isolation.addresses import Address

SOON = f"{timezone.now() + timedelta(days=3):%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What somebody types and chooses, and the name of the field beside which the message must stand."""

    at: str
    typed: Mapping[str, str]
    actor: str = "owner"
    # What no page shows again: passwords and files.
    forgotten: tuple[str, ...] = ()


FORMS = {
    "tenants:reset": Mistake("email", {"email": "no address"}, "anonymous"),
    "usage:cap": Mistake("amount", {"cap": "notify", "amount": "much"}),
    "usage:set_thresholds": Mistake(
        "own:",
        {"own:": "high", "at:": "95", "own:api_calls": "42", "shown": "api_calls", "tells_billing": "on"},
    ),
    "usage:add_channel": Mistake(
        "url", {"kind": "slack", "url": "ftp://nowhere.example/", "name": "#limits"}
    ),
    "usage:add_key": Mistake("last_day", {"name": "new job", "last_day": "2020-01-31"}),
    "usage:rotate_key": Mistake("overlap", {"overlap": "12"}, forgotten=("overlap",)),
    "usage:invite": Mistake("email", {"email": "no address", "role": "viewer"}),
    "usage:set_organisation": Mistake("default_zone", {"name": "Renamed", "default_zone": "Mars/Base"}),
    "usage:set_zone": Mistake("time_zone", {"time_zone": "Mars/Base"}, "viewer"),
    "usage:allocate_anew": Mistake("reason", {"month": "2026-09", "reason": " "}, "staff"),
    "usage:raise_limit": Mistake(
        "more", {"metric": "api_calls", "more": "lots", "last_day": SOON, "reason": "launch"}, "staff"
    ),
    "usage:imports": Mistake("file", {"provider": "Acme Cloud", "file": ""}, "staff", ("file",)),
}
# Their mistakes are not of one field, or need a link that was mailed; tests of their own say what is shown.
ELSEWHERE = {
    "tenants:sign_in": "tests/tenants/test_views.py",
    "tenants:reset_confirm": "tests/tenants/test_views.py",
    "tenants:join": "tests/tenants/test_joining.py",
    "usage:set_role": "tests/usage/test_member_page.py",
    "usage:leave": "tests/usage/test_member_page.py",
    "usage:remove_member": "tests/usage/test_member_page.py",
}
# Nothing is typed there but what the browser itself keeps within its bounds.
BUTTONS = {
    "tenants:sign_out",
    "usage:ask_plan",
    "usage:switch_plan",
    "usage:cancel_plan",
    "usage:withdraw_plan",
    "usage:set_people",
    "usage:change_channel",
    "usage:test_mail",
    "usage:resend_alerts",
    "usage:resend_deliveries",
    "usage:test_operations",
    "usage:revoke_key",
    "usage:change_invitation",
    "usage:end_override",
    "usage:staff_revoke_key",
    "usage:stop_mail",
    "usage:import_confirm",
    "usage:seen",
    "usage:live",
    "usage:theme",
}


class MissingMistake(Exception):
    """A form of which nobody has said what may be wrong; says where."""


def mistake(address: Address) -> Mistake | None:
    """What is wrong in the form that is sent there; None where a form has no field that can be."""
    if address.name in BUTTONS or address.name in ELSEWHERE:
        return None
    if address.name not in FORMS:
        raise MissingMistake(
            f"{address.name} takes a POST: add to {__name__} what may be wrong in its form, or that nothing can."
        )
    return FORMS[address.name]
